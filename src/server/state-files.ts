/** Files of a server's state directory, replaced atomically. Directory 0700, secrets 0600. */
import { constants } from 'node:fs';
import { access, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../errors.js';
import { createFileAtomic, writeFileAtomic } from '../files/atomic-file.js';

const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/**
 * Makes a missing directory.
 * @throws CutlayerError IO_ERROR when it is not a directory, or others may write to it
 */
export async function openStateDir(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `state directory ${dir}: cannot be made; choose another with --state-dir`, { cause });
  }
  const { mode } = await stat(dir);
  if (process.platform !== 'win32' && (mode & 0o022) !== 0 && !(await isReadOnly(dir))) {
    throw new CutlayerError(
      'IO_ERROR',
      `state directory ${dir}: expected one that only its owner may write, got mode ${(mode & 0o777).toString(8)}; run chmod 700`,
    );
  }
}

/** Whether its file system is mounted read-only, as secrets are: then no mode lets anyone write. */
const isReadOnly = (dir: string): Promise<boolean> =>
  access(dir, constants.W_OK).then(
    () => false,
    (caught: NodeJS.ErrnoException) => caught.code === 'EROFS',
  );

/**
 * The text of a state file; undefined when there is none.
 * @throws CutlayerError IO_ERROR when it cannot be read, or it is secret and others may read it
 */
export async function readStateFile(dir: string, name: string, { secret = false } = {}): Promise<string | undefined> {
  const path = join(dir, name);
  try {
    if (secret && process.platform !== 'win32') {
      const { mode, uid } = await stat(path);
      // A secret that an orchestrator mounts is root's, and its group is that of this process.
      const others = uid === 0 && process.getuid?.() !== 0 ? 0o037 : 0o077;
      if ((mode & others) !== 0) {
        throw new CutlayerError('IO_ERROR', `${path}: expected a secret of mode 600, got ${(mode & 0o777).toString(8)}; run chmod 600`);
      }
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read`, { cause });
  }
}

/** Writes or replaces a state file. @throws CutlayerError IO_ERROR */
export function writeStateFile(dir: string, name: string, text: string, { secret = false } = {}): Promise<void> {
  return writeFileAtomic(join(dir, name), text, { mode: secret ? SECRET_MODE : PUBLIC_MODE });
}

/** Writes a new state file; false when there is one already. @throws CutlayerError IO_ERROR */
export function createStateFile(dir: string, name: string, text: string, { secret = false } = {}): Promise<boolean> {
  return createFileAtomic(join(dir, name), text, { mode: secret ? SECRET_MODE : PUBLIC_MODE });
}
