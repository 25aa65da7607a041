/** A directory that appears whole or not at all: everything is written beside it, under a temporary name, and renamed at the end. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CutlayerError } from '../../errors.js';

/**
 * Fills a new directory.
 * @param options.replace an existing directory is replaced when `replace(names in it)` allows; an empty one always.
 * @throws CutlayerError ALREADY_EXISTS, IO_ERROR (also for file system errors of `fill`); whatever else `fill` throws, after removing what was written.
 */
export async function writeDirectory<T>(
  path: string,
  options: { readonly replace: (names: readonly string[]) => boolean },
  fill: (temporary: string) => Promise<T>,
): Promise<T> {
  const target = resolve(path);
  await requireReplaceable(target, options.replace);
  const id = randomUUID();
  const temporary = `${target}.${id}.tmp`;
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${target}: cannot be created: ${(cause as Error).message}`, { cause });
  }
  try {
    const result = await fill(temporary);
    await swap(temporary, target, `${target}.${id}.old`);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw asFileError(error, target);
  }
}

/** A full disk, a lost permission and the like, as an error that says so. */
function asFileError(caught: unknown, target: string): unknown {
  if (!(caught instanceof Error) || !('syscall' in caught)) return caught;
  return new CutlayerError('IO_ERROR', `${target}: cannot be written: ${caught.message}`, { cause: caught });
}

async function requireReplaceable(target: string, replace: (names: readonly string[]) => boolean): Promise<void> {
  let names: readonly string[];
  try {
    names = await readdir(target);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new CutlayerError('ALREADY_EXISTS', `${target}: exists and is no directory`, { cause });
  }
  if (names.length > 0 && !replace(names))
    throw new CutlayerError(
      'ALREADY_EXISTS',
      `${target}: exists and is not empty; choose another directory, or --force to replace packed artifacts`,
    );
}

async function swap(temporary: string, target: string, old: string): Promise<void> {
  const moved = await rename(target, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
  try {
    await rename(temporary, target);
  } catch (error) {
    if (moved) await rename(old, target);
    throw error;
  }
  if (moved) await rm(old, { recursive: true, force: true });
}
