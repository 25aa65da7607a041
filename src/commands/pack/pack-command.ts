/** `cutlayer pack`: a Hugging Face checkpoint becomes a backbone and a client bundle. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { OutsideOptions } from '../../compiler/models/outside.js';
import type { PackResult } from '../../compiler/pack/pack-request.js';
import { CutlayerError } from '../../errors.js';
import type { PackReporter } from './pack-reporter.js';

interface PackOptions extends OutsideOptions {
  readonly bottom: number;
  readonly top: number;
  readonly onnx?: string;
  readonly bundleFrom?: string;
  readonly out: string;
  readonly name?: string;
  readonly force: boolean;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  $ cutlayer pack ./my-checkpoint --out ./packed
  $ cutlayer pack ./my-checkpoint --out ./packed --bottom 2 --top 1 --name my-model
  $ cutlayer pack --onnx ./backbone.onnx --bundle-from ./my-checkpoint --final-norm backbone --out ./packed

A graph given with --onnx has one input, hidden states [batch, sequence, hidden size] with dynamic batch and sequence, and one output of the same
shape. It must be causal; that is tried on random inputs. torch.onnx.export of a transformers base model from inputs_embeds to last_hidden_state
is such a graph: positions, blocks and final norm are inside, so say --final-norm backbone. Such a backbone takes soft prompts, not prefixes.`;

function longest(text: string): number {
  if (!/^[1-9][0-9]{0,7}$/.test(text)) throw new InvalidArgumentError('expected a number of positions, 1 or more');
  return Number(text);
}

function blockCount(text: string): number {
  if (!/^[0-9]{1,4}$/.test(text)) throw new InvalidArgumentError('expected a number of blocks, 0 or more');
  return Number(text);
}

/** The command; SIGINT cancels it and leaves nothing behind. */
export function packCommand(): Command {
  return new Command('pack')
    .description('Cut a Hugging Face checkpoint: backbone/ for the gateway, client-bundle/ for its clients')
    .argument('[checkpoint]', 'directory with config.json and safetensors weights (F32, F16 or BF16)')
    .requiredOption('-o, --out <dir>', 'where the two artifacts go; written whole or not at all')
    .option('-k, --bottom <blocks>', 'blocks below the backbone, held by the client', blockCount, 0)
    .option('-m, --top <blocks>', 'blocks above the backbone, held by the client', blockCount, 0)
    .option('--onnx <file>', 'the backbone as a graph instead: hidden states in, hidden states out')
    .option('--bundle-from <dir>', 'with --onnx: directory with config.json, tokenizer, and the safetensors of embedding and head')
    .addOption(
      new Option('--final-norm <side>', 'with --onnx: who applies the final norm; needed where the directory holds one').choices([
        'bundle',
        'backbone',
      ]),
    )
    .addOption(
      new Option('--embed-scale <side>', 'with --onnx: who scales embeddings, in families whose model scales them').choices([
        'bundle',
        'backbone',
      ]),
    )
    .option('--embed-tensor <name>', 'with --onnx: the tensor that embeds tokens, where its name is unusual')
    .option('--head-tensor <name>', 'with --onnx: the tensor of the LM head, where its name is unusual')
    .option('--max-positions <tokens>', "with --onnx: longest sequence (default: the config's)", longest)
    .option('--name <name>', "the model's name (default: the checkpoint directory's)")
    .option('--force', 'replace artifacts packed there before', false)
    .option('--json', 'print the result as one JSON line on stdout', false)
    .addHelpText('after', EXAMPLES)
    .action(runPack);
}

async function runPack(checkpoint: string | undefined, options: PackOptions): Promise<void> {
  const { packReporter } = await import('./pack-reporter.js');
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  process.once('SIGINT', cancel);
  process.once('SIGTERM', cancel);
  const reporter = packReporter(process.stderr);
  try {
    const result = await packed(checkpoint, options, reporter, abort.signal);
    reporter.stop();
    if (options.onnx !== undefined)
      process.stderr.write('note: an imported graph has no inputs for keys and values: its clients may train soft prompts, not prefixes\n');
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

async function packed(
  checkpoint: string | undefined,
  options: PackOptions,
  { progress }: PackReporter,
  signal: AbortSignal,
): Promise<PackResult> {
  const { onnx, bundleFrom, bottom, top, out, name, force, json: _json, ...outside } = options;
  if (onnx === undefined) {
    const [flag] = Object.entries({ bundleFrom, ...outside }).find(([, value]) => value !== undefined) ?? [];
    if (flag !== undefined) throw wrong(`--${kebab(flag)} goes with --onnx`);
    if (checkpoint === undefined) throw wrong('expected a checkpoint directory, or --onnx FILE --bundle-from DIR');
    const { pack } = await import('../../compiler/pack/pack.js');
    return pack({
      checkpointDir: checkpoint,
      bottom,
      top,
      outDir: out,
      ...(name !== undefined && { name }),
      force,
      onProgress: progress,
      signal,
    });
  }
  if (checkpoint !== undefined) throw wrong('--onnx brings the backbone; give the directory as --bundle-from');
  if (bundleFrom === undefined) throw wrong('--onnx needs --bundle-from DIR, which holds tokenizer, embedding and head');
  for (const [flag, blocks] of Object.entries({ bottom, top })) {
    if (blocks > 0) throw wrong(`--${flag} ${blocks}: an imported graph is one block that cannot be cut; leave it out`);
  }
  const [{ packOnnx }, { openGraphs }] = await Promise.all([import('../../compiler/pack/onnx-pack.js'), import('../../runtime/graphs.js')]);
  return packOnnx({
    ...outside,
    onnxPath: onnx,
    bundleFromDir: bundleFrom,
    outDir: out,
    name,
    force,
    openGraphs,
    onProgress: progress,
    signal,
  });
}

const wrong = (message: string): CutlayerError => new CutlayerError('INVALID_OPTION', `pack: ${message}`);

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
