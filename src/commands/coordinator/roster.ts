/** A federation's roster as its founder gives it: names with public keys, in hex or in files. */
import { readFile, stat } from 'node:fs/promises';
import { CutlayerError } from '../../errors.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';

/** A member: its name is the tenant of its token. */
export interface Member {
  readonly name: string;
  /** Ed25519, 64 hex digits. */
  readonly publicKey: string;
}

/** A public key's file is small; whatever is larger is something else. */
const MAX_BYTES = 4096;

/**
 * Reads `NAME=KEY` texts; KEY is 64 hex digits or the path of a file that holds them (cutlayer
 * client identity writes one).
 * @throws CutlayerError INVALID_OPTION, NOT_FOUND
 */
export async function readRoster(given: readonly string[]): Promise<readonly Member[]> {
  const members: Member[] = [];
  for (const text of given) members.push(await readMember(text));
  for (const key of ['name', 'publicKey'] as const) {
    const twice = members.find((member, at) => members.findIndex((other) => other[key] === member[key]) !== at);
    if (twice === undefined) continue;
    const other = members.find((member) => member[key] === twice[key])!;
    throw invalid(
      key === 'name' ? `${twice.name} is given twice` : `${other.name} and ${twice.name} have the same key; each needs its own`,
    );
  }
  return members;
}

async function readMember(text: string): Promise<Member> {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  const key = text.slice(at + 1);
  if (at < 1 || key === '') throw invalid(`expected NAME=KEY, the key as 64 hex digits or a file that holds them, got ${text}`);
  if (!TENANT_PATTERN.test(name)) throw invalid(`${name}: expected a name of 1 to 64 of [A-Za-z0-9._-], a letter or digit first`);
  return { name, publicKey: /^[0-9a-fA-F]{64}$/.test(key) ? key.toLowerCase() : await readKeyFile(name, key) };
}

async function readKeyFile(name: string, file: string): Promise<string> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--member ${name}: ${file} is neither 64 hex digits nor a file`, { cause });
  });
  const content = found.isFile() && found.size <= MAX_BYTES ? (await readFile(file, 'utf8')).trim() : '';
  if (/private/i.test(content)) {
    throw invalid(
      `${name}: ${file} holds a private key, which no member gives away; ask for the public one (cutlayer client identity shows it)`,
    );
  }
  if (/^[0-9a-fA-F]{64}$/.test(content)) return content.toLowerCase();
  throw invalid(`${name}: ${file}: expected a public key of 64 hex digits, and nothing else`);
}

function invalid(message: string): CutlayerError {
  return new CutlayerError('INVALID_OPTION', `--member: ${message}`);
}
