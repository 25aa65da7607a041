/** `cutlayer coordinator token`. */

import { defaultCoordinatorDir } from '../../coordinator/config.js';
import { CutlayerError } from '../../errors.js';
import { openIdentity } from '../../server/auth/identity.js';
import { issueToken } from '../../server/auth/issuer.js';
import { KeyRing } from '../../server/auth/key-ring.js';
import type { Scope } from '../../server/auth/scopes.js';
import { parseTtl } from '../../server/auth/ttl.js';

/** Its flags. */
export interface CoordinatorTokenFlags {
  readonly member?: string;
  readonly admin?: string;
  readonly ttl: string;
  readonly stateDir?: string;
}

/** Prints a token. @throws CutlayerError INVALID_OPTION, INVALID_ARGUMENT, IO_ERROR */
export async function token({ member, admin, ttl, stateDir = defaultCoordinatorDir() }: CoordinatorTokenFlags): Promise<void> {
  if ((member === undefined) === (admin === undefined)) {
    throw new CutlayerError('INVALID_OPTION', 'expected either --member NAME, for a participant, or --admin NAME, for a founder');
  }
  const scope: Scope = member === undefined ? 'federation:admin' : 'federation:participate';
  const request = { tenant: member ?? admin ?? '', scopes: [scope], ttlSeconds: parseTtl(ttl) };
  const ring = await KeyRing.open(stateDir);
  if (ring.isNew) {
    process.stderr.write(`note: made new keys in ${stateDir}; only a coordinator started with this --state-dir takes the token\n`);
  }
  process.stdout.write(`${await issueToken(ring, await openIdentity(stateDir, {}, 'coordinator'), request, Date.now())}\n`);
}
