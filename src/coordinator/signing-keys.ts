/** Ed25519 keys of a state directory: the coordinator's and the founder's. */

import { CutlayerError } from '../errors.js';
import { generateIdentity, type IdentityKey, identityFromSeed } from '../protocol/secagg/signature.js';
import { createStateFile, openStateDir, readStateFile } from '../server/state-files.js';

/** Files of the two keys: the private key's 32 bytes in hex, readable by the owner alone. */
const keyFiles = { coordinator: 'coordinator-key.hex', founder: 'founder-key.hex' } as const;

/** Opens a key, made when missing. @throws CutlayerError IO_ERROR */
export async function openSigningKey(dir: string, whose: keyof typeof keyFiles): Promise<IdentityKey> {
  await openStateDir(dir);
  const found = await readSigningKey(dir, whose);
  if (found !== undefined) return found;
  const content = `${Buffer.from(generateIdentity().privateKey).toString('hex')}\n`;
  await createStateFile(dir, keyFiles[whose], content, { secret: true });
  return (await readSigningKey(dir, whose))!; // it was just made, by this process or another
}

/** Reads a key; undefined where there is none. @throws CutlayerError IO_ERROR */
export async function readSigningKey(dir: string, whose: keyof typeof keyFiles): Promise<IdentityKey | undefined> {
  const file = keyFiles[whose];
  const text = await readStateFile(dir, file, { secret: true });
  if (text === undefined) return undefined;
  if (/^[0-9a-f]{64}\n?$/.test(text)) return identityFromSeed(Buffer.from(text.trim(), 'hex'));
  throw new CutlayerError('IO_ERROR', `${file} in ${dir}: expected 64 hex digits, got something else; restore it from a backup`);
}
