/** A member's identity on disk, an Ed25519 key: the holder of the file is the member. */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic } from '../../../src/files/atomic-file.js';
import type { RandomBytes } from '../../../src/privacy/random.js';
import { generateIdentity, type IdentityKey, identityFromSeed } from '../../../src/protocol/secagg/signature.js';

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({ format: z.literal('cutlayer-identity'), formatVersion: z.literal(1), privateKey: hex32, publicKey: hex32 });

/**
 * Makes an identity and writes it to a new file, readable by its owner alone.
 * @throws CutlayerError ALREADY_EXISTS: an identity is never overwritten; IO_ERROR
 */
export async function createIdentity(file: string, random?: RandomBytes): Promise<IdentityKey> {
  const identity = generateIdentity(random);
  const { privateKey, publicKey } = identity;
  const content = { format: 'cutlayer-identity', formatVersion: 1, privateKey: hex(privateKey), publicKey: hex(publicKey) };
  if (await createFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })) return identity;
  throw new CutlayerError(
    'ALREADY_EXISTS',
    `${file}: exists already, and is not overwritten, because a member that has lost its identity is no member any more; choose another file`,
  );
}

/** @throws CutlayerError NOT_FOUND, INVALID_CONFIG (broken, or readable by others) */
export async function readIdentity(file: string): Promise<IdentityKey> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no identity here; make one with: cutlayer client identity --out ${file}`, { cause });
  });
  if (process.platform !== 'win32' && (found.mode & 0o077) !== 0)
    throw new CutlayerError(
      'INVALID_CONFIG',
      `${file}: others than its owner may read or write it; take that away with: chmod 600 ${file}`,
    );
  let identity: IdentityKey;
  let publicKey: string;
  try {
    const content = schema.parse(JSON.parse(await readFile(file, 'utf8')));
    identity = identityFromSeed(Buffer.from(content.privateKey, 'hex'));
    publicKey = content.publicKey;
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${file}: not an identity that cutlayer client identity has written`, { cause });
  }
  if (hex(identity.publicKey) !== publicKey)
    throw new CutlayerError('INVALID_CONFIG', `${file}: its public key is not that of its private key; restore it from a backup`);
  return identity;
}

/** A key as manifests and people write it. */
export function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex');
}
