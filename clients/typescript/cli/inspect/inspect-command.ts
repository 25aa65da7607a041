/** `cutlayer client inspect` */
import { command } from '../../../../src/options/command-spec.js';
import { inspectOptions } from './inspect-options.js';

export const inspectCommand = command({
  options: inspectOptions,
  help: `
Needs no gateway: nothing leaves this machine. Exits with 1 when the adapter holds NaN or infinity, or does not fit the bundle.

Examples:
  $ cutlayer client inspect run1
  $ cutlayer client inspect run1/adapter --bundle model/client-bundle
  $ cutlayer client inspect run1/checkpoints/step-00000050 --json`,
  run: async (flags, { words }) => (await import('./run-inspect.js')).runInspect(words[0]!, flags),
});
