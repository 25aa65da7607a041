/** Where adapters lie, and whether one has changed. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';

/** An adapter by the name under which it is served. */
export interface NamedAdapter {
  readonly name: string;
  /** A saved adapter, or a run's directory. */
  readonly path: string;
}

/** Most adapters of an endpoint, and most files of one. */
const MOST_ADAPTERS = 256;
const MOST_FILES = 1024;

/** Names of models: those of files, without what a shell or a web address reads. */
export const modelName = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/;

/** The directories of a folder, by their names. @throws CutlayerError NOT_FOUND, LIMIT_EXCEEDED */
export async function adaptersIn(folder: string): Promise<readonly NamedAdapter[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `--adapters ${folder}: no such directory`, { cause });
  });
  const names = entries.filter((entry) => !entry.isFile() && modelName.test(entry.name)).map(({ name }) => name);
  if (names.length > MOST_ADAPTERS)
    throw new CutlayerError('LIMIT_EXCEEDED', `--adapters ${folder}: expected at most ${MOST_ADAPTERS} directories, got ${names.length}`);
  return names.sort().map((name) => ({ name, path: join(folder, name) }));
}

/** `NAME=DIR` of `--adapter`. @throws CutlayerError INVALID_OPTION */
export function namedAdapter(given: string): NamedAdapter {
  const at = given.indexOf('=');
  const [name, path] = [given.slice(0, at), given.slice(at + 1)];
  if (at > 0 && path !== '' && modelName.test(name)) return { name, path };
  throw new CutlayerError(
    'INVALID_OPTION',
    `--adapter: expected NAME=DIR, such as tickets=run1/adapter, with a name of letters, digits and . _ : @ / -, got ${given.slice(0, 80)}`,
  );
}

/** Changes when a file of a directory changes. @throws CutlayerError NOT_FOUND, LIMIT_EXCEEDED */
export async function fingerprintOf(dir: string): Promise<string> {
  const names = await readdir(dir, { recursive: true }).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no such directory`, { cause });
  });
  if (names.length > MOST_FILES)
    throw new CutlayerError('LIMIT_EXCEEDED', `${dir}: expected an adapter of at most ${MOST_FILES} files, got ${names.length}`);
  const files = await Promise.all(
    names.sort().map(async (name) => {
      const found = await stat(join(dir, name)).catch(() => undefined);
      return found === undefined ? `${name} gone` : `${name} ${found.ino} ${found.size} ${found.mtimeMs}`;
    }),
  );
  return files.join('\n');
}
