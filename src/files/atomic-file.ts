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
  /** Permissions, less the process's umask. Default 0o600: its owner's alone. */
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
  { mode = 0o600, durable = true }: WriteOptions = {},
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
 * @param options.mode Permissions, less the umask. Default 0o700: its owner's alone.
 * @returns what `fill` gives
 * @throws CutlayerError IO_ERROR; what `fill` throws
 */
export async function writeDirectoryAtomic<T>(
  path: string,
  fill: (temporary: string) => Promise<T>,
  { mode = 0o700 }: { readonly mode?: number } = {},
): Promise<T> {
  const parent = dirname(path);
  const temporary = join(parent, `.tmp-${randomUUID()}`);
  try {
    await mkdir(parent, { recursive: true, mode });
    await mkdir(temporary, { mode });
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

/** What to say of the commonest codes. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'ENOSPC: the disk is full; free space there and do it again',
  EDQUOT: 'EDQUOT: the quota of the disk is used up; free space there and do it again',
  EFBIG: 'EFBIG: the system allows no larger file; raise its limit and do it again',
};

/** The error of a full disk, a read-only directory or a file in the way; others stay. */
export function writeFailure(path: string, caught: unknown): unknown {
  // A file in a directory that is being filled: the directory is what the caller knows.
  const error = caught instanceof CutlayerError && caught.code === 'IO_ERROR' ? caught.cause : caught;
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return caught;
  const reason = reasons[String(error.code)] ?? String(error.code);
  return new CutlayerError('IO_ERROR', `${path}: cannot be written (${reason}); what was there before is unchanged`, { cause: error });
}
