/** `cutlayer client identity` */
import { command } from '../../../../src/options/command-spec.js';
import { identityOptions } from './identity-options.js';

export const identityCommand = command({
  options: identityOptions,
  help: `
An identity is an Ed25519 key. The holder of the file speaks for you in a federation.
Keep it as you keep a private key, with a backup. The public key, 64 hex digits on standard
output, goes to the founder, who puts it on the federation's roster.

Without a flag it prints the public key of your own identity, which cutlayer client federate --invite takes, and makes it at first use.

Examples:
    $ cutlayer client identity
    $ cutlayer client identity --out identity.key
    $ cutlayer client identity --show identity.key`,
  run: async (flags) => (await import('./run-identity.js')).runIdentity(flags),
});
