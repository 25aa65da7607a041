/** The work of `cutlayer gateway backup` and `cutlayer gateway restore`. */
import { join, resolve } from 'node:path';
import { stdout } from '../../files/output.js';
import { GATEWAY_SCHEMA } from '../../gateway/tables/database.js';
import { migrations } from '../../gateway/tables/schema.js';
import { restoreBackup } from '../../server/backup/restore-backup.js';
import { type BackupSource, writeBackup } from '../../server/backup/write-backup.js';

/** Where a gateway keeps what it keeps. */
export interface BackupFlags {
  readonly stateDir: string;
  readonly database?: string | undefined;
}

/** @throws CutlayerError see {@link writeBackup} */
export async function runBackup(file: string, flags: BackupFlags): Promise<void> {
  const { rows, files } = await writeBackup(file, sourceOf(flags), Date.now());
  stdout.line(`wrote ${resolve(file)}: ${rows} rows and ${files} files; it holds keys, so keep it as you keep them`);
}

/** @throws CutlayerError see {@link restoreBackup} */
export async function runRestore(file: string, { force, ...flags }: BackupFlags & { readonly force: boolean }): Promise<void> {
  const { rows, files } = await restoreBackup(file, { ...sourceOf(flags), migrations, force });
  stdout.line(`restored ${rows} rows and ${files} files from ${resolve(file)}`);
}

const sourceOf = ({ stateDir, database }: BackupFlags): BackupSource => ({
  role: 'gateway',
  target: database ?? join(stateDir, 'gateway.db'),
  schema: GATEWAY_SCHEMA,
  stateDir,
});
