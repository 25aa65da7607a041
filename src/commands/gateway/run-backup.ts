/** The work of `cutlayer gateway backup` and `cutlayer gateway restore`. */
import { resolve } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { localGateway } from '../../gateway/local-server.js';
import { GATEWAY_SCHEMA } from '../../gateway/tables/database.js';
import { migrations } from '../../gateway/tables/schema.js';
import { IDENTITY_FILE } from '../../server/auth/identity.js';
import { KeyRing, SIGNING_KEYS_FILE } from '../../server/auth/key-ring.js';
import type { BackupSource, FilesApart } from '../../server/backup/write-backup.js';
import { type BackupFlags, backupPlace, runBackup, runRestore } from '../run-backup.js';

/** Where a gateway keeps what it keeps, and its signing keys where they are elsewhere. */
export interface GatewayBackupFlags extends BackupFlags {
  readonly keysDir?: string | undefined;
}

/** @throws CutlayerError NOT_FOUND without keys in `keysDir`; see {@link runBackup} */
export async function backupGateway(file: string, flags: GatewayBackupFlags): Promise<void> {
  await runBackup(file, sourceOf(flags, await keysDirOf(flags)));
}

/** @throws CutlayerError see {@link runRestore} */
export async function restoreGateway(file: string, { force, ...flags }: GatewayBackupFlags & { readonly force: boolean }): Promise<void> {
  await runRestore(file, { ...sourceOf(flags, flags.keysDir), migrations, force });
}

const sourceOf = (flags: BackupFlags, keysDir: string | undefined): BackupSource => ({
  ...backupPlace('gateway', flags),
  schema: GATEWAY_SCHEMA,
  apart: keysDir === undefined ? undefined : keysIn(keysDir),
});

const keysIn = (dir: string): FilesApart => ({ dir, files: [SIGNING_KEYS_FILE, IDENTITY_FILE] });

/** The directory of the keys: as given, or as the gateway that runs has said. */
async function keysDirOf({ stateDir, keysDir: given }: GatewayBackupFlags): Promise<string | undefined> {
  const server = await localGateway.read(stateDir);
  const dir = given ?? server?.keysDir;
  if (dir === undefined || resolve(dir) === resolve(stateDir)) return undefined;
  if ((await KeyRing.openExisting(dir)) !== undefined) return dir;
  // Tokens of an external issuer need no keys here.
  if (given === undefined && typeof server?.externalIssuer === 'string') return undefined;
  throw new CutlayerError('NOT_FOUND', `${dir}: holds no signing keys; is --keys-dir right?`);
}
