/** `cutlayer pack`: a Hugging Face checkpoint becomes a backbone and a client bundle. */
import { Command, InvalidArgumentError } from 'commander';

interface PackOptions {
  readonly bottom: number;
  readonly top: number;
  readonly out: string;
  readonly name?: string;
  readonly force: boolean;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  $ cutlayer pack ./my-checkpoint --out ./packed
  $ cutlayer pack ./my-checkpoint --out ./packed --bottom 2 --top 1 --name my-model`;

function blockCount(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new InvalidArgumentError('expected a number of blocks, 0 or more');
  return Number(text);
}

/** The command; SIGINT cancels it and leaves nothing behind. */
export function packCommand(): Command {
  return new Command('pack')
    .description('Cut a Hugging Face checkpoint: backbone/ for the gateway, client-bundle/ for its clients')
    .argument('<checkpoint>', 'directory with config.json and safetensors weights (F32, F16 or BF16)')
    .requiredOption('-o, --out <dir>', 'where the two artifacts go; written whole or not at all')
    .option('-k, --bottom <blocks>', 'blocks below the backbone, held by the client', blockCount, 0)
    .option('-m, --top <blocks>', 'blocks above the backbone, held by the client', blockCount, 0)
    .option('--name <name>', "the model's name (default: the checkpoint directory's)")
    .option('--force', 'replace artifacts packed there before', false)
    .option('--json', 'print the result as one JSON line on stdout', false)
    .addHelpText('after', EXAMPLES)
    .action(runPack);
}

async function runPack(checkpoint: string, options: PackOptions): Promise<void> {
  const [{ pack }, { packReporter }] = await Promise.all([import('../compile/pack.js'), import('./pack-reporter.js')]);
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  process.once('SIGINT', cancel);
  process.once('SIGTERM', cancel);
  const reporter = packReporter(process.stderr);
  try {
    const result = await pack({
      checkpointDir: checkpoint,
      bottom: options.bottom,
      top: options.top,
      outDir: options.out,
      ...(options.name !== undefined && { name: options.name }),
      force: options.force,
      onProgress: reporter.progress,
      signal: abort.signal,
    });
    reporter.stop();
    if (!result.hasTokenizer) process.stderr.write('note: the checkpoint has no tokenizer.json; clients must bring token ids\n');
    if (options.json) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
      return;
    }
    const { backbone, client } = result.parameters;
    const side = (dir: string, parameters: number): string =>
      `${dir}  ${parameters.toLocaleString('en-US')} parameters (${((100 * parameters) / (backbone + client)).toFixed(1)} %)`;
    process.stdout.write(`backbone       ${side(result.backboneDir, backbone)}\nclient bundle  ${side(result.clientBundleDir, client)}\n`);
    process.stdout.write(`backbone digest ${result.backboneDigest}\n`);
  } finally {
    reporter.stop();
    process.off('SIGINT', cancel);
    process.off('SIGTERM', cancel);
  }
}
