/** The work of `cutlayer coordinator backup` and `cutlayer coordinator restore`. */
import { existsSync } from 'node:fs';
import { latestFileOf, openLatestStates } from '../../coordinator/latest-states.js';
import { requireNewestStore } from '../../coordinator/stored-federations.js';
import { COORDINATOR_SCHEMA, openDatabase } from '../../coordinator/tables/database.js';
import { migrations } from '../../coordinator/tables/schema.js';
import { stderr } from '../../files/output.js';
import { type BackupFlags, backupPlace, runBackup, runRestore } from '../run-backup.js';

/** Where a backup goes, and a second file that says how far federations have come. */
export interface RestoreFlags extends BackupFlags {
  readonly force: boolean;
  readonly latestFile?: string | undefined;
}

const sourceOf = (flags: BackupFlags) => ({ ...backupPlace('coordinator', flags), schema: COORDINATOR_SCHEMA });

/** @throws CutlayerError see {@link runBackup} */
export const backupCoordinator = (file: string, flags: BackupFlags): Promise<void> => runBackup(file, sourceOf(flags));

/**
 * Refuses a backup that federations have gone on from, where a file tells: secure aggregation's
 * rounds and spent privacy must not be forgotten. The file itself stays as it is.
 * @throws CutlayerError STORE_TOO_OLD, and see {@link runRestore}
 */
export async function restoreCoordinator(file: string, { force, latestFile, ...flags }: RestoreFlags): Promise<void> {
  const source = sourceOf(flags);
  const own = latestFileOf(source.target, flags.stateDir);
  const latest = openLatestStates(own, latestFile);
  const check = async (target: string): Promise<void> => {
    const database = await openDatabase(target);
    try {
      await requireNewestStore(database, latest, Date.now);
    } finally {
      await database.close();
    }
  };
  await runRestore(file, { ...source, migrations, force, check });
  if (![own, latestFile].some((path) => path !== undefined && existsSync(path)))
    stderr.line('note: nothing here tells whether federations have gone on since this backup; a member that has seen more answers nothing');
}
