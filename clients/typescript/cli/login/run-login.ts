/** The work of `cutlayer client login`. */
import { resolve } from 'node:path';
import { stderr, stdout } from '../../../../src/files/output.js';
import { readClientCertificate } from '../../connection/client-certificate.js';
import { tokenSource } from '../../connection/token-source.js';
import { allRight, checkConnection } from '../check/check-connection.js';
import { findingLines } from '../check/check-text.js';
import { DEFAULT_PROFILE } from '../profile/profile-name.js';
import { findProfile, writeProfile } from '../profile/profile-store.js';
import { interruptible } from '../progress.js';
import type { LoginFlags } from './login-options.js';
import { type LoginSource, loginSource } from './login-source.js';

/** @throws CutlayerError INVALID_*, NOT_FOUND, TOKEN_*, DIGEST_MISMATCH, IO_ERROR */
export async function runLogin(flags: LoginFlags): Promise<void> {
  const { profile: name, insecure, signer } = flags;
  const source = await loginSource(flags);
  if (flags.check && !(await rightNow(source, flags))) {
    stderr.line('nothing was written: mend what failed, or pass --no-check');
    process.exitCode = 1;
    return;
  }
  const { bundle, gateway, ca } = source;
  const replaced = (await findProfile(name).catch(() => undefined)) !== undefined;
  const dir = await writeProfile(name, {
    bundle,
    gateway,
    caText: ca,
    ...(await keptToken(source)),
    ...(await keptCertificate(source)),
    ...(insecure && { insecure }),
    ...(signer !== undefined && { signer }),
  });
  const use = name === DEFAULT_PROFILE ? 'commands without --profile use it' : `use it with --profile ${name}`;
  stdout.line(`${replaced ? 'replaced' : 'wrote'} profile ${name} in ${dir}; ${use}`);
}

/** A token file's path; else what the profile holds itself. */
async function keptToken({ token }: LoginSource) {
  if (token.tokenFile !== undefined) return { tokenFile: resolve(token.tokenFile) };
  if (token.credentials !== undefined) return { token: JSON.stringify(token.credentials, undefined, 2) };
  return { token: await tokenSource(token)(false) };
}

/** Paths stay paths, so that a renewed certificate is read; PEM is copied. */
async function keptCertificate({ clientCert, clientKey }: LoginSource) {
  if (clientCert?.includes('-----BEGIN') !== true) return { clientCert, clientKey };
  return { certificate: await readClientCertificate({ clientCert, clientKey }) };
}

async function rightNow(source: LoginSource, { insecure, verify, signer }: LoginFlags): Promise<boolean> {
  let right = false;
  await interruptible(async (signal) => {
    const checked = { ...source, insecure, verify, signer, token: () => source.token, wire: 'f32', deadline: 30 } as const;
    const findings = await checkConnection(checked, signal);
    for (const line of findingLines(findings)) stdout.line(line);
    right = allRight(findings);
  });
  return right;
}
