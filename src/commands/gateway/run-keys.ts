/** The work of `cutlayer gateway keys rotate`. A running gateway reads the file again by itself. */
import { CutlayerError } from '../../errors.js';
import { stdout } from '../../files/output.js';
import { localGateway } from '../../gateway/local-server.js';
import type { AuditTarget } from '../../server/audit/audit-target.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { openAdminConnection } from './admin-connection.js';
import { auditOrder } from './audit-order.js';

/** Which keys, and what becomes of the earlier ones. */
export interface RotateFlags {
  readonly dropOld: boolean;
  readonly stateDir: string;
  readonly keysDir?: string | undefined;
  readonly audit?: AuditTarget | undefined;
}

/** @throws CutlayerError INVALID_OPTION, NOT_FOUND, LIMIT_EXCEEDED, IO_ERROR */
export async function rotateKeys({ dropOld, stateDir, keysDir = stateDir, audit }: RotateFlags): Promise<void> {
  const issuer = (await localGateway.read(stateDir))?.externalIssuer ?? null;
  if (issuer !== null)
    throw new CutlayerError('INVALID_OPTION', `keys: the gateway takes tokens of ${issuer} alone (--jwks-url), which rotates its own keys`);
  const ring = await KeyRing.openExisting(keysDir);
  if (ring === undefined)
    throw new CutlayerError('NOT_FOUND', `${keysDir}: holds no keys; start the gateway once with this --state-dir or --keys-dir`);
  // A gateway that runs sees the change, and records it.
  if ((await openAdminConnection({ stateDir })) === undefined)
    await auditOrder({ stateDir, audit }, 'keys', { action: dropOld ? 'drop all, and make one' : 'rotate' });
  await (dropOld ? ring.renew() : ring.rotate());
  const { kid } = await ring.signingKey();
  stdout.line(`${kid} signs from now on; ${dropOld ? 'every earlier token is void' : 'earlier keys verify until their tokens end'}`);
}
