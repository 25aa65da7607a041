/** Which files of a data folder are read. */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** Most files of a folder. */
export const MAX_FILES = 4096;

/**
 * The folder's `*.jsonl` files, by name, without hidden ones and those of inner folders.
 * @param except A file that is read as something else.
 * @returns undefined when the folder cannot be read now
 */
export async function listDataFiles(directory: string, except?: string): Promise<readonly string[] | undefined> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch {
    return undefined;
  }
  const excluded = except === undefined ? undefined : await realpath(except).catch(() => undefined);
  const paths = names
    .filter((name) => name.endsWith('.jsonl') && !name.startsWith('.'))
    .sort()
    .map((name) => join(directory, name));
  if (excluded === undefined) return paths;
  const real = await Promise.all(paths.map((path) => realpath(path).catch(() => path)));
  return paths.filter((_, at) => real[at] !== excluded);
}
