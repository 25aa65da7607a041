/** Where the bearer token of a call comes from. */
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../../src/errors.js';
import { type ClientCredentials, parseClientCredentials } from './client-credentials.js';
import { requestToken, type TimedToken, type TokenRequestOptions } from './client-token.js';
import type { Peer } from './unary-call.js';

/** Exactly one way of getting a token; a provider is asked again when the token has expired. */
export interface TokenOptions {
  readonly token?: string;
  /**
   * A file with the token alone, read again on expiry, so that it may be renewed during a job. Or a
   * file with a client's credentials: tokens are asked for, and renewed before they end.
   */
  readonly tokenFile?: string;
  readonly tokenProvider?: () => Promise<string>;
  /** A client's credentials themselves, as such a file has them. */
  readonly credentials?: ClientCredentials;
}

/** Gives the token, from memory unless `fresh`. */
export type TokenSource = (fresh: boolean) => Promise<string>;

/** Where tokens come from. */
const issuers: Readonly<Record<Peer['role'], string>> = {
  gateway: 'ask the vendor for one, or make one with: cutlayer gateway token',
  coordinator: 'ask the coordinator for one, or make one with: cutlayer coordinator token',
};

/** @throws CutlayerError INVALID_ARGUMENT unless exactly one option is given */
export function tokenSource(
  options: TokenOptions & TokenRequestOptions,
  role: Peer['role'] = 'gateway',
  now: () => number = () => performance.now(),
): TokenSource {
  const { token, tokenFile, tokenProvider, credentials } = options;
  const given = [token, tokenFile, tokenProvider, credentials].filter((value) => value !== undefined).length;
  if (given !== 1) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `connect: expected exactly one of token, tokenFile, tokenProvider and credentials, got ${given}`,
    );
  }
  const fetchToken = async (): Promise<TimedToken> => {
    if (credentials !== undefined) return requestToken(credentials, options, role);
    if (tokenFile !== undefined) return readToken(tokenFile, role, options);
    return untimed(tokenProvider === undefined ? (token as string) : await tokenProvider());
  };
  let held: Promise<string> | undefined;
  let asking = false;
  let renewAt = Number.POSITIVE_INFINITY;
  /** One request at a time, whatever the number of calls that wait for it. */
  const ask = (): Promise<string> => {
    asking = true;
    return fetchToken()
      .then(({ token: fetched, lifeMs }) => {
        renewAt = now() + lifeMs * RENEW_AT;
        return checkToken(fetched);
      })
      .finally(() => {
        asking = false;
      });
  };
  return (fresh) => {
    // A request that is under way answers for a fresh token too.
    if (asking && held !== undefined) return held;
    if (fresh || held === undefined) {
      held = ask();
      held.catch(() => {
        held = undefined;
      });
      return held;
    }
    if (now() >= renewAt) {
      // The token in use is still good: calls go on with it while the next one is asked for.
      const current = held;
      renewAt = now() + RENEW_AGAIN_MS;
      ask().then(
        (next) => {
          held = Promise.resolve(next);
        },
        () => undefined,
      );
      return current;
    }
    return held;
  };
}

/** The part of its life after which a token is renewed. */
const RENEW_AT = 0.8;
/** A renewal that failed is tried again after this time. */
const RENEW_AGAIN_MS = 10_000;

const untimed = (token: string): TimedToken => ({ token, lifeMs: Number.POSITIVE_INFINITY });

async function readToken(file: string, role: Peer['role'], options: TokenRequestOptions): Promise<TimedToken> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no token file; ${issuers[role]}`, { cause });
  });
  const content = text.trim();
  const credentials = parseClientCredentials(content, file);
  return credentials === undefined ? untimed(content) : requestToken(credentials, options, role);
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
