/** Replaces a store's file by one that was filled beside it. */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { syncDirectory } from '../../files/atomic-file.js';
import { StoreConnection } from '../store/connection.js';
import { lockStore } from '../store/store-file.js';

/**
 * @param fill Fills a new store at a path and closes it.
 * @returns what `fill` gives
 * @throws CutlayerError STORE_IN_USE while a server has it open; ALREADY_EXISTS without `force`
 */
export async function replaceFileStore<Result>(path: string, force: boolean, fill: (path: string) => Promise<Result>): Promise<Result> {
  const lock = lockStore(path);
  const beside = `${path}.restoring`;
  const removeBeside = async (): Promise<void> => {
    for (const end of ['', '-wal', '-shm', '.lock', '.lock-wal', '.lock-shm']) await rm(`${beside}${end}`, { force: true });
  };
  try {
    if (existsSync(path) && !force) throw new CutlayerError('ALREADY_EXISTS', `store ${path}: is there already; --force replaces it`);
    await removeBeside();
    const result = await fill(beside);
    // The old file's log must not be applied to the new file.
    if (existsSync(path)) foldLog(path);
    for (const end of ['-wal', '-shm']) await rm(`${path}${end}`, { force: true });
    await rename(beside, path);
    await syncDirectory(dirname(path));
    return result;
  } finally {
    await removeBeside();
    lock.release();
  }
}

/** Moves the log into the file; a damaged file, which is to be replaced, may refuse. */
function foldLog(path: string): void {
  try {
    new StoreConnection(path).close();
  } catch {}
}
