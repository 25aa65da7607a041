/** Writes a backup of a store and of its state directory, while a server runs. */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { syncDirectory, writeFailure } from '../../files/atomic-file.js';
import { type BackupHeader, type BackupLine, footer, isStateFile, toJsonValue } from './backup-format.js';
import { withSnapshot } from './table-reader.js';

/** Most bytes of a file of the state directory; larger ones are no keys. */
const MAX_FILE_BYTES = 2 ** 20;

type FileLine = Extract<BackupLine, { readonly file: string }>;

/** Files that are in a directory of their own, not in the state directory. */
export interface FilesApart {
  readonly dir: string;
  readonly files: readonly string[];
}

/** What is backed up. */
export interface BackupSource {
  readonly role: BackupHeader['role'];
  /** A path or URL. */
  readonly target: string;
  /** PostgreSQL's schema, unless the URL names one. */
  readonly schema: string;
  readonly stateDir: string;
  readonly apart?: FilesApart | undefined;
}

/** Counts of what was written. */
export interface BackupReport {
  readonly rows: number;
  readonly files: number;
}

/**
 * Writes the file, mode 0600; no file is replaced.
 * @throws CutlayerError NOT_FOUND, ALREADY_EXISTS, IO_ERROR, UNAVAILABLE, STORE_CORRUPT
 */
export async function writeBackup(path: string, source: BackupSource, now: number): Promise<BackupReport> {
  const { role, target, schema } = source;
  const temporary = `${resolve(path)}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      const hash = createHash('sha256');
      const write = async (line: BackupHeader | BackupLine): Promise<void> => {
        const text = `${JSON.stringify(line)}\n`;
        hash.update(text);
        await file.writeFile(text);
      };
      let rows = 0;
      await withSnapshot(target, schema, async (store) => {
        await write({ format: 'cutlayer-backup-1', role, at: now, migrations: [...store.migrations] });
        for (const table of store.tables) {
          let columns: readonly string[] | undefined;
          for await (const row of store.rows(table)) {
            if (columns === undefined) {
              columns = Object.keys(row);
              await write({ table, columns: [...columns] });
            }
            await write({ row: columns.map((column) => toJsonValue(row[column]!)) }); // each row has the columns of the first
            rows += 1;
          }
        }
      });
      const files = await stateFiles(source);
      for (const line of files) await write(line);
      await file.writeFile(footer(hash.digest('hex')));
      await file.sync();
      await put(temporary, path);
      return { rows, files: files.length };
    } finally {
      await file.close();
    }
  } catch (caught) {
    throw writeFailure(path, caught);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function put(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new CutlayerError('ALREADY_EXISTS', `${path}: is there already; give another name`, { cause });
  }
  await syncDirectory(dirname(resolve(path)));
}

/** Keys and certificates: the files of the directory itself, and those that are kept apart. */
async function stateFiles({ stateDir, apart = { dir: stateDir, files: [] } }: BackupSource): Promise<FileLine[]> {
  const entries = await readdir(stateDir, { withFileTypes: true }).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${stateDir}: no such state directory; is --state-dir right?`, { cause });
  });
  const own = entries.filter((entry) => entry.isFile() && isStateFile(entry.name) && !apart.files.includes(entry.name));
  const lines = await Promise.all([
    ...own.map(({ name }) => fileLine(stateDir, name)),
    // Where an orchestrator mounts them, their mode is not that of a file of one's own.
    ...apart.files.filter((name) => existsSync(join(apart.dir, name))).map((name) => fileLine(apart.dir, name, 0o600)),
  ]);
  return lines.filter((line) => line !== undefined);
}

async function fileLine(dir: string, file: string, as?: number): Promise<FileLine | undefined> {
  const path = join(dir, file);
  const { mode, size } = await stat(path);
  if (size > MAX_FILE_BYTES) return undefined;
  return { file, mode: as ?? mode & 0o777, base64: (await readFile(path)).toString('base64') };
}
