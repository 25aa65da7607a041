/** Issues client certificates of a state directory's authority. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';
import { makeClient, type Pair } from '../../server/tls/certificates.js';

/** A new certificate with its key. @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND */
export async function issueClientCertificate(stateDir: string, name: string, days: number): Promise<Pair> {
  if (!TENANT_PATTERN.test(name))
    throw new CutlayerError('INVALID_ARGUMENT', 'name: expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
  const [cert, key] = await Promise.all([authorityFile(stateDir, 'ca.pem'), authorityFile(stateDir, 'ca-key.pem')]);
  return makeClient({ cert, key }, name, days, Date.now());
}

async function authorityFile(stateDir: string, name: string): Promise<string> {
  const file = join(stateDir, name);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such file; start the gateway once with this --state-dir and no --tls-cert`, {
      cause,
    });
  });
}
