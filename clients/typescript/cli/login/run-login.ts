/** The work of `cutlayer client login`. */
import { resolve } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { readAuthority } from '../../connection/channel-credentials.js';
import { type TokenOptions, tokenSource } from '../../connection/token-source.js';
import { allRight, checkConnection } from '../check/check-connection.js';
import { findingLines } from '../check/check-text.js';
import { DEFAULT_PROFILE } from '../profile/profile-name.js';
import { findProfile, writeProfile } from '../profile/profile-store.js';
import { interruptible } from '../progress.js';
import { tokenOptions } from '../session.js';
import type { LoginFlags } from './login-options.js';

/** @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND, TOKEN_*, IO_ERROR */
export async function runLogin(flags: LoginFlags): Promise<void> {
  const { profile: name, gateway, insecure, signer, verify } = flags;
  const bundle = resolve(flags.bundle);
  const token = tokenOptions(flags.tokenFile, 'CUTLAYER_TOKEN', 'no access token: pass --token-file');
  const ca = await authority(flags);
  if (flags.check && !(await rightNow({ ...flags, bundle, ca }, token, verify))) {
    stderr.line('nothing was written: mend what failed, or pass --no-check');
    process.exitCode = 1;
    return;
  }
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

/** The CA's PEM text; undefined for the system's. */
async function authority({ ca, insecure, gateway }: LoginFlags): Promise<string | undefined> {
  if (ca !== undefined && insecure) throw new CutlayerError('INVALID_ARGUMENT', `connect ${gateway}: either a CA or insecure, not both`);
  return ca === undefined ? undefined : (await readAuthority(ca, 'gateway')).toString('utf8');
}

async function rightNow(flags: LoginFlags, token: TokenOptions, verify: boolean): Promise<boolean> {
  let right = false;
  await interruptible(async (signal) => {
    const findings = await checkConnection({ ...flags, verify, token: () => token, wire: 'f32', deadline: 30 }, signal);
    for (const line of findingLines(findings)) stdout.line(line);
    right = allRight(findings);
  });
  return right;
}
