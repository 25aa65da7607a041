/**
 * Encryption of stored examples: AES-256-GCM under a key that scrypt derives from a passphrase or a
 * key file. Each line has a random nonce, and its place in the file is authenticated with it.
 * @see RFC 7914 (scrypt), NIST SP 800-38D (GCM)
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic } from '../../../src/files/atomic-file.js';
import { parseJson } from '../../../src/files/json-text.js';

/** How the key was derived, and a known text under it; holds no secret. */
export const ENCRYPTION_FILE = 'encryption.json';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const CHECK_TEXT = 'cutlayer-improvement';
/** Place of the known text; those of lines are counted from 0. */
const CHECK_PLACE = -1;
/** 64 MiB of memory, about 0.2 s. */
const COST = { N: 2 ** 16, r: 8, p: 1 } as const;
/** Most memory that a file's parameters may ask for. */
const MAX_MEMORY = 256 * 2 ** 20;

const fileSchema = z.object({
  format: z.literal('cutlayer-encryption'),
  formatVersion: z.literal(1),
  kdf: z.object({ name: z.literal('scrypt'), N: z.int().min(2), r: z.int().min(1), p: z.int().min(1), salt: z.base64() }),
  cipher: z.literal('aes-256-gcm'),
  check: z.base64(),
});

/** Text to stored text, and back. */
export interface Vault {
  readonly encrypts: boolean;
  /** @param place Line of the file, from 0, or the name of a file of its own. */
  seal(text: string, place: number | string): string;
  /** @throws CutlayerError STORE_CORRUPT (changed, or moved to another place) */
  open(sealed: string, place: number | string): string;
}

/** Leaves text as it is. */
export const plainVault: Vault = { encrypts: false, seal: (text) => text, open: (text) => text };

/**
 * The vault of a directory.
 * @param secret Passphrase or key; undefined: text is stored as it is.
 * @param fresh Whether nothing is stored yet: encryption begins with the first example.
 * @throws CutlayerError INVALID_OPTION (a wrong secret, one too many or none), STORE_CORRUPT,
 *   IO_ERROR
 */
export async function openVault(dir: string, secret: Uint8Array | undefined, fresh: boolean): Promise<Vault> {
  const file = join(dir, ENCRYPTION_FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CutlayerError('IO_ERROR', `${file}: cannot be read (${error.code ?? 'it failed'})`, { cause: error });
  });
  if (secret === undefined) {
    if (text === undefined) return plainVault;
    throw new CutlayerError(
      'INVALID_OPTION',
      `${dir}: its examples are encrypted; give --encrypt-key-file, --passphrase-file or the environment variable CUTLAYER_PASSPHRASE`,
    );
  }
  if (text !== undefined) return knownVault(file, text, secret);
  if (!fresh) {
    throw new CutlayerError(
      'INVALID_OPTION',
      `${dir}: its examples are stored as plain text, and encryption begins with the first one; leave the key out, or choose another --dir`,
    );
  }
  const salt = randomBytes(KEY_BYTES);
  const vault = gcmVault(await derive(secret, salt, COST));
  const content = {
    format: 'cutlayer-encryption',
    formatVersion: 1,
    kdf: { name: 'scrypt', ...COST, salt: salt.toString('base64') },
    cipher: 'aes-256-gcm',
    check: vault.seal(CHECK_TEXT, CHECK_PLACE),
  };
  await createFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`);
  return vault;
}

async function knownVault(file: string, text: string, secret: Uint8Array): Promise<Vault> {
  const { kdf, check } = parseFile(file, text);
  const vault = gcmVault(await derive(secret, Buffer.from(kdf.salt, 'base64'), kdf));
  try {
    if (vault.open(check, CHECK_PLACE) === CHECK_TEXT) return vault;
  } catch {
    // The key is another one.
  }
  throw new CutlayerError('INVALID_OPTION', `${file}: the passphrase or key is not the one that the examples were encrypted with`);
}

function parseFile(file: string, text: string): z.output<typeof fileSchema> {
  try {
    const parsed = fileSchema.parse(parseJson(text));
    const { N, r } = parsed.kdf;
    if (128 * N * r > MAX_MEMORY) throw new RangeError(`scrypt: expected at most ${MAX_MEMORY} bytes`);
    return parsed;
  } catch (cause) {
    throw new CutlayerError('STORE_CORRUPT', `${file}: not a description of encryption; restore it from a backup`, { cause });
  }
}

function derive(secret: Uint8Array, salt: Uint8Array, { N, r, p }: { N: number; r: number; p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, KEY_BYTES, { N, r, p, maxmem: MAX_MEMORY * 2 }, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}

function gcmVault(key: Buffer): Vault {
  const bound = (place: number | string) => Buffer.from(`${CHECK_TEXT}:${place}`);
  return {
    encrypts: true,
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(bound(place));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64');
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed, 'base64');
      try {
        const nonce = bytes.subarray(0, NONCE_BYTES);
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(bound(place));
        decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
        const text = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
        return Buffer.concat([text, decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new CutlayerError('STORE_CORRUPT', 'stored examples: a line was changed or moved; restore the file from a backup', { cause });
      }
    },
  };
}
