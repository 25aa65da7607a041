/** `cutlayer coordinator simulate` */
import { command } from '../../options/command-spec.js';
import { simulateOptions } from './simulate-options.js';

export const simulateCommand = command({
  options: simulateOptions,
  help: `
Examples:
  Ten participants alike, five rounds:
    $ cutlayer coordinator simulate --backbone packed/backbone --bundle packed/client-bundle --data notes.jsonl \\
        --participants 10 --rounds 5 --out sim

  A hundred, each with its own mix of labels, FedAdam, a tenth of them lost in every round, measured on a file of your own:
    $ cutlayer coordinator simulate --backbone packed/backbone --bundle packed/client-bundle --data notes.jsonl --test test.jsonl \\
        --participants 100 --split dirichlet --alpha 0.3 --label-field completion --label-pattern '/ ([A-Z]+)$' \\
        --strategy fedadam --dropout 0.1 --rounds 20 --out sim

  Client-level differential privacy, and what it costs:
    $ cutlayer coordinator simulate … --noise-multiplier 0.8 --clip-norm 1 --delta 1e-5 --max-epsilon 50

  The settings of a federation to be, before it is founded:
    $ cutlayer coordinator simulate … --config federation.yaml

Gateway, coordinator, participants and secure aggregation are the real ones, in one process. Time is not: it jumps to the next cutoff when all
participants wait. All randomness comes from --seed, so the same command gives the same result, and protects nothing: use it on data that may be seen.

Writes curves.jsonl (a line for each version), summary.json and report.html.`,
  run: async (flags) => (await import('./run-simulate.js')).runSimulate(flags),
});
