/** `cutlayer client identity` */
import { Command } from 'commander';
import { readOptions, withOptions } from '../../../../src/options/command-options.js';
import { identityOptions } from './identity-options.js';

/** The command. */
export function identityCommand(): Command {
  return withOptions(new Command('identity').description('make the identity that you take part in federations with'), identityOptions)
    .addHelpText(
      'after',
      `
An identity is an Ed25519 key. Whoever has the file can speak for you in a federation: keep it as you keep a private key, with a backup. The public key,
64 hex digits on standard output, goes to the founder, who puts it on the federation's roster.

Examples:
    $ cutlayer client identity --out identity.key
    $ cutlayer client identity --show identity.key
`,
    )
    .action(async (_: unknown, called: Command) => {
      const flags = await readOptions(called, identityOptions);
      const { runIdentity } = await import('./run-identity.js');
      await runIdentity(flags);
    });
}
