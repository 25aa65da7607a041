/** `cutlayer signer new | show`: the key that signs what `cutlayer pack` writes. */
import { command } from '../../options/command-spec.js';
import { path, required } from '../../options/option.js';

export const newCommand = command({
  options: { out: { ...required(path('file', 'write the key to this new file, readable by you alone')), short: 'o' } },
  help: `
The key is an Ed25519 key as a JWK. Its holder signs artifacts as you: keep it private, with a
backup. Clients pin its public key, which is printed on standard output.

Examples:
    $ cutlayer signer new --out signer.jwk
    $ cutlayer pack ./my-checkpoint --out ./packed --sign signer.jwk`,
  async run({ out }) {
    const [{ createSigner }, { stderr, stdout }] = await Promise.all([import('./signer-file.js'), import('../../files/output.js')]);
    const { x } = await createSigner(out);
    stderr.line(`The key is in ${out}: keep it private, with a backup. Give clients this public key, by another way than the bundle:`);
    stdout.line(x);
  },
});

export const showCommand = command({
  options: {},
  help: `
Examples:
    $ cutlayer signer show signer.jwk
    $ cutlayer client inspect run1 --bundle client-bundle --signer "$(cutlayer signer show signer.jwk)"`,
  async run(_flags, { words }) {
    const [{ readSigner }, { stdout }] = await Promise.all([import('./signer-file.js'), import('../../files/output.js')]);
    stdout.line((await readSigner(words[0]!)).x);
  },
});
