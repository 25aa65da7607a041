/** The endpoint's API key: a program that can read the key's file may use the endpoint. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { createFileAtomic } from '../../../../src/files/atomic-file.js';

/** Fewest characters of a key, so that it cannot be tried out. */
const FEWEST = 20;

/**
 * Reads the key's file, or makes it: 256 random bits, readable by its owner alone.
 * @throws CutlayerError INVALID_OPTION (the file holds no key), IO_ERROR
 */
export async function openApiKey(file: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch(() => undefined); // the write says why
  await createFileAtomic(file, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('IO_ERROR', `--key-file ${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
  });
  const key = text.trim();
  if (!new RegExp(`^[\\x21-\\x7e]{${FEWEST},512}$`).test(key))
    throw new CutlayerError(
      'INVALID_OPTION',
      `--key-file ${file}: expected one key of ${FEWEST} to 512 printable characters; remove the file, and a key is made`,
    );
  await chmod(file, 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new CutlayerError('IO_ERROR', `--key-file ${file}: cannot be made its owner's alone (${cause.code ?? 'it failed'})`, { cause });
  });
  return key;
}

/** Checks a header in constant time. @throws CutlayerError TOKEN_MISSING, TOKEN_INVALID */
export function checkApiKey(header: string | undefined, key: string): void {
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined)
    throw new CutlayerError('TOKEN_MISSING', 'authorization: expected "Bearer" and the API key; the file of --key-file holds it');
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (!timingSafeEqual(digest(given), digest(key)))
    throw new CutlayerError('TOKEN_INVALID', 'API key: not that of this endpoint; the file of --key-file holds it');
}
