/** `gateway token` and `coordinator token`: prints a token of the embedded issuer, bare. */

import { stderr, stdout } from '../files/output.js';
import { openIdentity } from '../server/auth/identity.js';
import { issueToken } from '../server/auth/issuer.js';
import { KeyRing } from '../server/auth/key-ring.js';
import type { Scope } from '../server/auth/scopes.js';
import { parseTtl } from '../server/auth/ttl.js';
import type { ServerRole } from '../server/rpc/calls.js';

/** Whose token, what it allows, and how long it lives. */
export interface TokenFlags {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly ttl: string;
  readonly stateDir: string;
}

/** Issues it and prints it. @throws CutlayerError INVALID_ARGUMENT, IO_ERROR */
export async function printToken(role: ServerRole, { tenant, scopes, ttl, stateDir }: TokenFlags): Promise<void> {
  const request = { tenant, scopes, ttlSeconds: parseTtl(ttl) };
  const ring = await KeyRing.open(stateDir);
  if (ring.isNew) stderr.line(`note: made new keys in ${stateDir}; only a ${role} started with this --state-dir takes the token`);
  stdout.line(await issueToken(ring, await openIdentity(stateDir, {}, role), request, Date.now()));
}
