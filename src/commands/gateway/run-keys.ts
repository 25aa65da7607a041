/** The work of `cutlayer gateway keys rotate`. A running gateway reads the file again by itself. */
import { CutlayerError } from '../../errors.js';
import { stdout } from '../../files/output.js';
import { localGateway } from '../../gateway/local-server.js';
import type { AuditTarget } from '../../server/audit/audit-target.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import { parseTtl } from '../../server/auth/ttl.js';
import { openAdminConnection } from './admin-connection.js';
import { auditOrder } from './audit-order.js';

/** A file is copied within minutes, or by a nightly job. */
const MOST_AFTER_SECONDS = 7 * 86_400;

/** Which keys, and what becomes of the earlier ones. */
export interface RotateFlags {
  readonly dropOld: boolean;
  /** Time until the new key signs, as `10m`. */
  readonly after: string;
  readonly stateDir: string;
  readonly keysDir?: string | undefined;
  readonly audit?: AuditTarget | undefined;
}

/** @throws CutlayerError INVALID_OPTION, NOT_FOUND, LIMIT_EXCEEDED, IO_ERROR */
export async function rotateKeys({ dropOld, after, stateDir, keysDir = stateDir, audit }: RotateFlags): Promise<void> {
  const afterSeconds = parseTtl(after, '--after');
  if (afterSeconds > MOST_AFTER_SECONDS)
    throw new CutlayerError('INVALID_OPTION', `--after: expected at most ${MOST_AFTER_SECONDS / 86_400}d, got ${after}`);
  if (dropOld && afterSeconds > 0)
    throw new CutlayerError('INVALID_OPTION', '--after: with --drop-old no earlier key is left that could sign until then');
  const issuer = (await localGateway.read(stateDir))?.externalIssuer ?? null;
  if (issuer !== null)
    throw new CutlayerError('INVALID_OPTION', `keys: the gateway takes tokens of ${issuer} alone (--jwks-url), which rotates its own keys`);
  const ring = await KeyRing.openExisting(keysDir);
  if (ring === undefined)
    throw new CutlayerError('NOT_FOUND', `${keysDir}: holds no keys; start the gateway once with this --state-dir or --keys-dir`);
  // A gateway that runs sees the change, and records it.
  if ((await openAdminConnection({ stateDir })) === undefined)
    await auditOrder({ stateDir, audit }, 'keys', {
      action: dropOld ? 'drop all, and make one' : 'rotate',
      ...(afterSeconds > 0 && { afterSeconds }),
    });
  const now = Date.now();
  await (dropOld ? ring.renew(now) : ring.rotate(now, afterSeconds));
  const { kid } = await ring.signingKey(now + afterSeconds * 1000);
  const when = afterSeconds > 0 ? `${new Date(now + afterSeconds * 1000).toISOString()}, and verifies now` : 'now on';
  stdout.line(`${kid} signs from ${when}; ${dropOld ? 'every earlier token is void' : 'earlier keys verify until their tokens end'}`);
}
