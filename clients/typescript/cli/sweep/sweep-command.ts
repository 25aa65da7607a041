/** `cutlayer client sweep` */
import { command } from '../../../../src/options/command-spec.js';
import { sweepOptions } from './sweep-options.js';

export const sweepCommand = command({
  options: sweepOptions,
  configFile: true,
  help: `
Every run has the same data order and the same first values. Ranked by the best validation loss, without --validation by the training loss of the last epoch.
A run that diverges is a row of the table, not a failure.

Examples:
  $ cutlayer client sweep --config run.yaml --lr 1e-3,3e-3,1e-2 --steps 100 --out sweep1
  $ cutlayer client train --config sweep1/lr-0.003/config.yaml --steps 1000 --out run1`,
  run: async (flags) => (await import('./run-sweep.js')).runSweep(flags),
});
