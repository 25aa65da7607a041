/** `cutlayer coordinator simulate`: flags and help; the work is imported when it runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { SimulateFlags } from './run-simulate.js';

const EXAMPLES = `
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

Gateway, coordinator, participants and secure aggregation are the real ones, in one process. Time is not: it jumps to the next cutoff when nobody has
anything to do. All randomness comes from --seed, so the same command gives the same result, and protects nothing: use it on data that may be seen.

Writes curves.jsonl (a line for each version), summary.json and report.html.`;

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most))
      throw new InvalidArgumentError(`expected a number from ${least} to ${most}`);
    return value;
  };
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = number(least, most)(text);
    if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    return value;
  };
}

const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];

/** The command. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('run a whole federation in this process, to see how it would learn')
    .requiredOption('--backbone <dir>', 'a packed backbone')
    .requiredOption('--bundle <dir>', 'its client bundle')
    .requiredOption('--data <file>', 'JSONL, shared out among the participants')
    .requiredOption('--out <dir>', 'where curves and report go')
    .option('--test <file>', 'JSONL, common test (default: a tenth of --data)')
    .option('--participants <n>', 'how many', whole(1, 10_000), 10)
    .addOption(
      new Option('--split <kind>', 'everybody alike, or each with its own mix of labels').choices(['iid', 'dirichlet']).default('iid'),
    )
    .option('--alpha <a>', 'with dirichlet: the smaller, the more uneven', number(1e-6, 1e6), 0.5)
    .option('--label-field <field>', "with dirichlet: the record's field that the label is read from", 'completion')
    .option('--label-pattern <regex>', 'its first group is the label (default: the whole field)')
    .option('--rounds <n>', 'released aggregates', whole(1, 1_000_000))
    .option('--steps <n>', 'optimizer steps of each participant in a round (default: one epoch)', whole(1, 1_000_000))
    .option('--strategy <kind>', 'fedavg, fedavgm, fedadam, fedyogi, fedprox; without secure aggregation also median, krum …')
    .option('--no-secure-aggregation', 'updates as they are')
    .option('--noise-multiplier <z>', 'client-level differential privacy: deviation of the noise over the clip norm', number(1e-6, 1e6))
    .option('--clip-norm <c>', 'its clip norm', number(1e-9, 1e9), 1)
    .option('--delta <d>', 'its delta', number(1e-30, 1), 1e-5)
    .option('--max-epsilon <e>', 'no round is begun that would go over it', number(1e-6, 1e9), 100)
    .option('--dropout <rate>', 'chance of a participant to vanish in a round, at a stage drawn at random', number(0, 1), 0)
    .option('--config <file>', "a federation's settings, YAML, as for coordinator create")
    .option('--set <setting=value>', 'any setting by its path; repeat', collect, [])
    .option('--concurrency <n>', 'participants that train at a time', whole(1, 1024), 2)
    .option('--threads <n>', "the gateway's threads", whole(1, 256))
    .option('--seed <n>', 'of everything random', whole(0, 2 ** 32 - 1), 0)
    .option('--json', 'print one JSON line for each version')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: SimulateFlags) => {
      const { runSimulate } = await import('./run-simulate.js');
      await runSimulate(flags);
    });
}
