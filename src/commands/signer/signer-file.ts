/**
 * A vendor's signing key on disk: an Ed25519 key as a JWK (RFC 8037), its owner's alone to read.
 */
import { basename, dirname } from 'node:path';
import type { SigningJwk } from '../../artifacts/signature.js';
import { CutlayerError } from '../../errors.js';
import { parseJson } from '../../files/json-text.js';
import { makeSigningKey, signingKeySchema } from '../../server/auth/key-ring.js';
import { createStateFile, readStateFile } from '../../server/state-files.js';

/**
 * Makes a key and writes it to a new file.
 * @throws CutlayerError ALREADY_EXISTS: a key is never overwritten; IO_ERROR
 */
export async function createSigner(file: string): Promise<SigningJwk> {
  const key = await makeSigningKey();
  if (await createStateFile(dirname(file), basename(file), `${JSON.stringify(key, null, 2)}\n`, { secret: true })) return key;
  throw new CutlayerError(
    'ALREADY_EXISTS',
    `${file}: exists already, and is not overwritten, because clients pin its public key; choose another file`,
  );
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG (no key), IO_ERROR (others may read it) */
export async function readSigner(file: string): Promise<SigningJwk> {
  const text = await readStateFile(dirname(file), basename(file), { secret: true });
  if (text === undefined)
    throw new CutlayerError('NOT_FOUND', `${file}: no signing key here; make one with: cutlayer signer new --out ${file}`);
  try {
    return signingKeySchema.parse(parseJson(text));
  } catch {
    // The cause would quote the file, and the file is secret.
    throw new CutlayerError('INVALID_CONFIG', `${file}: expected a key that cutlayer signer new has written, got something else`);
  }
}
