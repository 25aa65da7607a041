/** The work of `backup` and `restore`, at a gateway and at a coordinator. */
import { join, resolve } from 'node:path';
import { stdout } from '../files/output.js';
import { type RestoreTarget, restoreBackup } from '../server/backup/restore-backup.js';
import { type BackupSource, writeBackup } from '../server/backup/write-backup.js';

/** Where a server keeps what it keeps. */
export interface BackupFlags {
  readonly stateDir: string;
  readonly database?: string | undefined;
}

/** The place that flags name. */
export const backupPlace = (role: BackupSource['role'], { stateDir, database }: BackupFlags) => ({
  role,
  target: database ?? join(stateDir, `${role}.db`),
  stateDir,
});

/** @throws CutlayerError see {@link writeBackup} */
export async function runBackup(file: string, source: BackupSource): Promise<void> {
  const { rows, files } = await writeBackup(file, source, Date.now());
  stdout.line(`wrote ${resolve(file)}: ${rows} rows and ${files} files; it holds keys, so keep it as you keep them`);
}

/** @throws CutlayerError see {@link restoreBackup} */
export async function runRestore(file: string, target: RestoreTarget): Promise<void> {
  const { rows, files } = await restoreBackup(file, target);
  stdout.line(`restored ${rows} rows and ${files} files from ${resolve(file)}`);
}
