/** The work of `cutlayer gateway cert`: a client certificate of the state directory's authority. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { createFileAtomic } from '../../files/atomic-file.js';
import { stdout } from '../../files/output.js';
import { TENANT_PATTERN } from '../../server/auth/scopes.js';
import { makeClient } from '../../server/tls/certificates.js';

/** What `cutlayer gateway cert` is told. */
export interface CertFlags {
  readonly out: string;
  readonly days: number;
  readonly stateDir: string;
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, IO_ERROR */
export async function runCert(name: string, { out, days, stateDir }: CertFlags): Promise<void> {
  if (!TENANT_PATTERN.test(name))
    throw new CutlayerError('INVALID_ARGUMENT', 'name: expected 1 to 64 of [A-Za-z0-9._-], a letter or digit first');
  const [cert, key] = await Promise.all([authorityFile(stateDir, 'ca.pem'), authorityFile(stateDir, 'ca-key.pem')]);
  const pair = await makeClient({ cert, key }, name, days, Date.now());
  const files = { cert: `${out}.pem`, key: `${out}-key.pem` };
  await create(files.key, pair.key, 0o600);
  await create(files.cert, pair.cert, 0o644);
  stdout.line(`wrote ${files.cert} and its key ${files.key}; the gateway trusts it with --client-ca ${join(stateDir, 'ca.pem')}`);
}

async function authorityFile(stateDir: string, name: string): Promise<string> {
  const file = join(stateDir, name);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such file; start the gateway once with this --state-dir and no --tls-cert`, {
      cause,
    });
  });
}

async function create(file: string, text: string, mode: number): Promise<void> {
  if (!(await createFileAtomic(file, text, { mode })))
    throw new CutlayerError('ALREADY_EXISTS', `${file}: is there already; choose another --out`);
}
