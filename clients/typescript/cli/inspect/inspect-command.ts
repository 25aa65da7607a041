/** `cutlayer client inspect` */
import { Command } from 'commander';
import { readOptions, withOptions } from '../../../../src/options/command-options.js';
import { inspectOptions } from './inspect-options.js';

/** The command. */
export function inspectCommand(): Command {
  const command = new Command('inspect').description('say what an adapter is, whether it is sound, and whether it fits a bundle');
  return withOptions(command.argument('<adapter>', "an adapter's directory, a checkpoint's, or a run's"), inspectOptions)
    .addHelpText(
      'after',
      `
Needs no gateway: nothing leaves this machine. Exits with 1 when the adapter holds NaN or infinity, or does not fit the bundle.

Examples:
  $ cutlayer client inspect run1
  $ cutlayer client inspect run1/adapter --bundle model/client-bundle
  $ cutlayer client inspect run1/checkpoints/step-00000050 --json
`,
    )
    .action(async (adapter: string, _: unknown, called: Command) => {
      const flags = await readOptions(called, inspectOptions);
      const { runInspect } = await import('./run-inspect.js');
      await runInspect(adapter, flags);
    });
}
