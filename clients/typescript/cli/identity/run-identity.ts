/** The work of `cutlayer client identity`. */
import { CutlayerError } from '../../../../src/errors.js';
import { stderr, stdout } from '../../../../src/files/output.js';
import { createIdentity, hex, readIdentity } from '../../federation/identity-file.js';
import type { IdentityFlags } from './identity-options.js';

/** Prints the public key on standard output, words on standard error. @throws CutlayerError */
export async function runIdentity({ out, show }: IdentityFlags): Promise<void> {
  if ((out === undefined) === (show === undefined))
    throw new CutlayerError(
      'INVALID_OPTION',
      'expected either --out FILE, to make an identity, or --show FILE, to print the public key of one',
    );
  const { publicKey } = out === undefined ? await readIdentity(show!) : await createIdentity(out);
  if (out !== undefined) stderr.line(`Your identity is in ${out}: keep it private, with a backup. Give this public key to the founder:`);
  stdout.line(hex(publicKey));
}
