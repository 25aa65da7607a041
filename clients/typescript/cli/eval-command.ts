/** `cutlayer client eval` */
import { Command, Option } from 'commander';
import { loadAdapter } from '../adapters/load.js';
import { loadExamples, type OverlongPolicy } from '../data/examples.js';
import { evaluate } from '../evaluate.js';
import { RemoteModel } from '../remote-model.js';
import { SplitModel } from '../split-model.js';
import { type ConnectionFlags, openSession, positiveInteger, withConnectionOptions } from './connection-options.js';
import { formatBytes, interruptible, progressReporter } from './progress.js';

interface EvalFlags extends ConnectionFlags {
  readonly data: string;
  readonly adapter?: string;
  readonly batch: number;
  readonly generate?: number;
  readonly overlong: OverlongPolicy;
  readonly eos: boolean;
  readonly json?: boolean;
}

/** The command. */
export function evalCommand(): Command {
  return withConnectionOptions(new Command('eval').description('measure the model, bare or with an adapter, on a data file'))
    .requiredOption('--data <file>', 'JSONL, as for train')
    .option('--adapter <dir>', 'adapter in the format of PEFT (default: the bare model)')
    .option('--batch <n>', 'sequences at a time', positiveInteger, 8)
    .option('--generate <n>', 'also generate the completions of the first n examples and compare them', positiveInteger)
    .addOption(new Option('--overlong <policy>', 'examples over the limit').choices(['error', 'truncate', 'skip']).default('error'))
    .option('--no-eos', 'do not put the end-of-sequence token after completions and texts')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
exact match: the share of examples whose every label token is the most probable one given the right tokens before it.

Examples:
  How much the adapter helps:
    $ cutlayer client eval --bundle model/client-bundle --gateway vendor.example:443 --token-file token --data test.jsonl
    $ cutlayer client eval … --data test.jsonl --adapter run1/adapter --generate 50
`,
    )
    .action((_: unknown, command: Command) => runEval(command.opts()));
}

async function runEval(flags: EvalFlags): Promise<void> {
  const { onRetry } = progressReporter();
  await interruptible(async (signal) => {
    const session = await openSession(flags, signal, onRetry);
    try {
      const { bundle, connection } = session;
      const model = new SplitModel(bundle, new RemoteModel(connection));
      const adapter = flags.adapter === undefined ? undefined : await loadAdapter(flags.adapter, bundle.dims);
      const maxLength = model.maxLength(adapter?.numVirtualTokens ?? 0);
      const examples = await loadExamples(flags.data, bundle.tokenizer, {
        maxLength,
        overlong: flags.overlong,
        appendEos: flags.eos,
        signal,
      });
      const result = await evaluate(model, adapter, examples, {
        batchSize: flags.batch,
        ...(flags.generate === undefined ? {} : { generateExamples: flags.generate }),
        signal,
        onProgress: process.stderr.isTTY ? (done, total) => process.stderr.write(`\r${done}/${total} examples`) : undefined,
      });
      if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
      const { bytesUp, bytesDown } = connection.counters;
      if (flags.json === true) {
        console.log(JSON.stringify({ ...result, bytesUp, bytesDown }));
        return;
      }
      console.log(`loss                    ${result.loss.toFixed(4)}`);
      console.log(`perplexity              ${result.perplexity.toFixed(3)}`);
      console.log(`token accuracy          ${(100 * result.accuracy).toFixed(1)} %`);
      console.log(`exact match             ${(100 * result.exactMatch).toFixed(1)} %`);
      if (result.generationExactMatch !== undefined)
        console.log(`generated exactly       ${(100 * result.generationExactMatch).toFixed(1)} %`);
      console.log(`examples, label tokens  ${result.examples}, ${result.targets}`);
      console.log(`sent, received          ${formatBytes(bytesUp)}, ${formatBytes(bytesDown)}`);
    } finally {
      await session.close();
    }
  });
}
