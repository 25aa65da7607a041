/** The work of `cutlayer gateway cert`: a client certificate of the state directory's authority. */
import { join } from 'node:path';
import { CutlayerError } from '../../errors.js';
import { createFileAtomic } from '../../files/atomic-file.js';
import { stdout } from '../../files/output.js';
import { issueClientCertificate } from './client-certificate.js';

/** What `cutlayer gateway cert` is told. */
export interface CertFlags {
  readonly out: string;
  readonly days: number;
  readonly stateDir: string;
}

/** @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, IO_ERROR */
export async function runCert(name: string, { out, days, stateDir }: CertFlags): Promise<void> {
  const pair = await issueClientCertificate(stateDir, name, days);
  const files = { cert: `${out}.pem`, key: `${out}-key.pem` };
  await create(files.key, pair.key, 0o600);
  await create(files.cert, pair.cert, 0o644);
  stdout.line(`wrote ${files.cert} and its key ${files.key}; the gateway trusts it with --client-ca ${join(stateDir, 'ca.pem')}`);
}

async function create(file: string, text: string, mode: number): Promise<void> {
  if (!(await createFileAtomic(file, text, { mode })))
    throw new CutlayerError('ALREADY_EXISTS', `${file}: is there already; choose another --out`);
}
