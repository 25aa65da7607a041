/** The work of `cutlayer client login`. */
import { resolve } from 'node:path';
import { stderr, stdout } from '../../../../src/files/output.js';
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
  const { bundle, gateway, ca, token } = source;
  const replaced = (await findProfile(name).catch(() => undefined)) !== undefined;
  const dir = await writeProfile(name, {
    bundle,
    gateway,
    caText: ca,
    ...(token.tokenFile === undefined ? { token: await tokenSource(token)(false) } : { tokenFile: resolve(token.tokenFile) }),
    ...(insecure && { insecure }),
    ...(signer !== undefined && { signer }),
  });
  const use = name === DEFAULT_PROFILE ? 'commands without --profile use it' : `use it with --profile ${name}`;
  stdout.line(`${replaced ? 'replaced' : 'wrote'} profile ${name} in ${dir}; ${use}`);
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
