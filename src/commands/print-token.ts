/** `gateway token` and `coordinator token`: prints a token of the embedded issuer, bare. */

import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../errors.js';
import { stderr, stdout } from '../files/output.js';
import { openIdentity } from '../server/auth/identity.js';
import { issueToken } from '../server/auth/issuer.js';
import { KeyRing } from '../server/auth/key-ring.js';
import type { Scope } from '../server/auth/scopes.js';
import { parseTtl } from '../server/auth/ttl.js';
import type { ServerRole } from '../server/rpc/calls.js';
import { thumbprintOfPem } from '../server/tls/client-certificate.js';

/** Whose token, what it allows, and how long it lives. */
export interface TokenFlags {
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly ttl: string;
  /** The file of the client certificate that it is bound to. */
  readonly clientCert?: string | undefined;
  readonly stateDir: string;
  /** Of the signing keys, where it is another. */
  readonly keysDir?: string | undefined;
}

/** Issues it and prints it. @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND, IO_ERROR */
export async function printToken(
  role: ServerRole,
  { tenant, scopes, ttl, clientCert, stateDir, keysDir = stateDir }: TokenFlags,
): Promise<void> {
  const cnf = clientCert === undefined ? undefined : { 'x5t#S256': await thumbprintOfFile(clientCert) };
  const request = { tenant, scopes, ttlSeconds: parseTtl(ttl), cnf };
  const ring = await KeyRing.open(keysDir);
  if (ring.isNew) stderr.line(`note: made new keys in ${keysDir}; only a ${role} started with this directory takes the token`);
  stdout.line(await issueToken(ring, await openIdentity(keysDir, {}, role), request, Date.now()));
}

async function thumbprintOfFile(file: string): Promise<string> {
  const pem = await readFile(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such file; give the client certificate, PEM`, { cause });
  });
  try {
    return thumbprintOfPem(pem);
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', `${file}: expected a certificate, PEM`, { cause });
  }
}
