/** The local port's bearer token: a program that can read the state directory may add examples. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { writeFileAtomic } from '../../../src/files/atomic-file.js';

/** A token and the file that holds it. */
export interface ExamplesToken {
  readonly file: string;
  readonly token: string;
}

/** Reads or makes `examples-token`: 256 random bits, owner only. @throws CutlayerError IO_ERROR */
export async function openExamplesToken(stateDir: string): Promise<ExamplesToken> {
  const file = join(stateDir, 'examples-token');
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const known = (await readFile(file, 'utf8').catch(() => '')).trim();
    if (/^[A-Za-z0-9_-]{43}$/.test(known)) {
      await chmod(file, 0o600);
      return { file, token: known };
    }
    const token = randomBytes(32).toString('base64url');
    await writeFileAtomic(file, `${token}\n`, { mode: 0o600 });
    return { file, token };
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${file}: cannot be made (${(cause as NodeJS.ErrnoException).code ?? 'it failed'})`, { cause });
  }
}

/** Checks a header in constant time. @throws CutlayerError TOKEN_MISSING, TOKEN_INVALID */
export function checkBearer(header: string | undefined, token: string): void {
  const given = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (given === undefined) {
    throw new CutlayerError('TOKEN_MISSING', 'authorization: expected "Bearer" and the token of examples-token in the state directory');
  }
  const digest = (text: string) => createHash('sha256').update(text).digest();
  if (!timingSafeEqual(digest(given), digest(token))) throw new CutlayerError('TOKEN_INVALID', 'token: invalid');
}
