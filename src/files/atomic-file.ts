/** Files and directories that appear whole or not at all, also after kill -9 or a power cut. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CutlayerError } from '../errors.js';

/** Writes a file under a temporary name, flushes it and renames it. @throws CutlayerError IO_ERROR */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

/**
 * Fills a directory under a temporary name beside its place, then renames it there, replacing what was there.
 * @returns what `fill` gives
 * @throws CutlayerError IO_ERROR; what `fill` throws
 */
export async function writeDirectoryAtomic<T>(path: string, fill: (temporary: string) => Promise<T>): Promise<T> {
  const parent = dirname(path);
  const temporary = join(parent, `.tmp-${randomUUID()}`);
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(temporary);
    const result = await fill(temporary);
    await syncDirectory(temporary);
    const old = join(parent, `.tmp-${randomUUID()}`);
    const replaced = await rename(path, old).then(
      () => true,
      () => false,
    );
    await rename(temporary, path).catch(async (error: unknown) => {
      if (replaced) await rename(old, path);
      throw error;
    });
    if (replaced) await rm(old, { recursive: true, force: true });
    await syncDirectory(parent);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw writeFailure(path, error);
  }
}

/** Puts on disk which files a directory has. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a full disk, a directory that may not be written or a file in the way comes to; what `fill` threw otherwise stays as it is. */
function writeFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  return new CutlayerError('IO_ERROR', `${path}: cannot be written (${String(error.code)}); what was there before is unchanged`, {
    cause: error,
  });
}
