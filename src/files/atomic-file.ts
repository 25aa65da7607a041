/**
 * Files and directories that appear whole or not at all, even after kill -9 or a power cut. The
 * package write-file-atomic does not flush the directory, and cannot refuse to replace a file.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CutlayerError } from '../errors.js';

/** How a file is written. */
export interface WriteOptions {
  /** Permissions, less the process's umask. Default 0o666. */
  readonly mode?: number;
  /** False flushes nothing, for files that a power cut may lose. Default true. */
  readonly durable?: boolean;
}

/** Writes or replaces a file. @throws CutlayerError IO_ERROR */
export async function writeFileAtomic(path: string, content: string | Uint8Array, options?: WriteOptions): Promise<void> {
  await place(path, content, rename, options);
}

/** Writes a new file. @returns false where there is one already @throws CutlayerError IO_ERROR */
export async function createFileAtomic(path: string, content: string | Uint8Array, options?: WriteOptions): Promise<boolean> {
  try {
    await place(path, content, link, options);
    return true;
  } catch (caught) {
    if ((CutlayerError.from(caught).cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw caught;
  }
}

/** Writes under a temporary name, flushes, puts the file in place, flushes the directory. */
async function place(
  path: string,
  content: string | Uint8Array,
  put: (temporary: string, path: string) => Promise<void>,
  { mode = 0o666, durable = true }: WriteOptions = {},
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await put(temporary, path);
    if (durable) await syncDirectory(dirname(path));
  } catch (error) {
    throw writeFailure(path, error);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/**
 * Fills a temporary directory, then renames it into place, replacing what was there.
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

/** Flushes a directory's entries to disk. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The error of a full disk, a read-only directory or a file in the way; others stay. */
function writeFailure(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  return new CutlayerError('IO_ERROR', `${path}: cannot be written (${String(error.code)}); what was there before is unchanged`, {
    cause: error,
  });
}
