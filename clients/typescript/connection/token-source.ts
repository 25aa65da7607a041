/** Where the bearer token of a call comes from. */
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../../src/errors.js';
import type { Peer } from './unary-call.js';

/** Exactly one way of getting a token; a provider is asked again when the token has expired. */
export interface TokenOptions {
  readonly token?: string;
  /** A file with the token alone; read again on expiry, so that it may be renewed during a job. */
  readonly tokenFile?: string;
  readonly tokenProvider?: () => Promise<string>;
}

/** Gives the token, from memory unless `fresh`. */
export type TokenSource = (fresh: boolean) => Promise<string>;

/** Where tokens come from. */
const issuers: Readonly<Record<Peer['role'], string>> = {
  gateway: 'ask the vendor for one, or make one with: cutlayer gateway token',
  coordinator: 'ask the coordinator for one, or make one with: cutlayer coordinator token',
};

/** @throws CutlayerError INVALID_ARGUMENT unless exactly one option is given */
export function tokenSource(options: TokenOptions, role: Peer['role'] = 'gateway'): TokenSource {
  const { token, tokenFile, tokenProvider } = options;
  const given = [token, tokenFile, tokenProvider].filter((value) => value !== undefined).length;
  if (given !== 1) {
    throw new CutlayerError('INVALID_ARGUMENT', `connect: expected exactly one of token, tokenFile and tokenProvider, got ${given}`);
  }
  const fetchToken = tokenProvider ?? (tokenFile === undefined ? async () => token as string : () => readToken(tokenFile, role));
  let held: Promise<string> | undefined;
  return (fresh) => {
    if (fresh || held === undefined) {
      held = fetchToken().then(checkToken);
      held.catch(() => {
        held = undefined;
      });
    }
    return held;
  };
}

async function readToken(file: string, role: Peer['role']): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no token file; ${issuers[role]}`, { cause });
  });
  return text.trim();
}

/** Anything else would break the header, and its error would print the token. */
function checkToken(token: string): string {
  if (/^[A-Za-z0-9._~+/=-]+$/.test(token) && !NOTHING.test(token)) return token;
  const found = /^Bearer\s/i.test(token)
    ? 'it begins with Bearer; give the token alone'
    : token.trim() === ''
      ? 'it is empty'
      : NOTHING.test(token)
        ? `it is the word ${token}; was the variable set that should hold it?`
        : 'it holds characters that no bearer token has, such as blanks, quotes or line breaks';
  throw new CutlayerError('TOKEN_INVALID', `the token is none: ${found}`);
}

/** What programs write for a value that is missing. */
const NOTHING = /^(undefined|null|none|nan|true|false)$/i;
