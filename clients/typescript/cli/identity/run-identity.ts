/** The work of `cutlayer client identity`. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { createIdentity, hex, readIdentity } from '../../federation/identity-file.js';
import { ownIdentity } from '../profile/home-dir.js';
import type { IdentityFlags } from './identity-options.js';

/** Prints the public key on standard output, words on standard error. @throws CutlayerError */
export async function runIdentity({ out, show }: IdentityFlags): Promise<void> {
  if (out !== undefined && show !== undefined)
    throw new CutlayerError(
      'INVALID_OPTION',
      'expected --out FILE, to make an identity, or --show FILE, to print its public key, got both',
    );
  const file = out ?? show ?? ownIdentity();
  const makes = out !== undefined || (show === undefined && (await stat(file).catch(() => undefined)) === undefined);
  if (makes && out === undefined) await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const { publicKey } = makes ? await createIdentity(file) : await readIdentity(file);
  if (show === undefined) stderr.line(`Your identity is in ${file}: keep it private, with a backup. Give this public key to the founder:`);
  stdout.line(hex(publicKey));
}
