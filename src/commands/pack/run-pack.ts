/** The work of `cutlayer pack`. */
import { interruptible } from '../../../clients/typescript/cli/progress.js';
import { exposureNote } from '../../artifacts/exposure.js';
import type { EmbeddingNorms } from '../../artifacts/manifest.js';
import type { SigningJwk } from '../../artifacts/signature.js';
import { f16Fit, measuredText } from '../../artifacts/wire-range.js';
import type { PackResult } from '../../compiler/pack/bundle-writer.js';
import { CutlayerError } from '../../errors.js';
import { stderr, stdout } from '../../files/output.js';
import { kebab } from '../../options/option.js';
import type { PackFlags } from './pack-options.js';
import { type PackReporter, packReporter } from './pack-reporter.js';

/** Runs the command. @throws CutlayerError */
export async function runPack(checkpoint: string | undefined, flags: PackFlags): Promise<void> {
  const reporter = packReporter();
  await interruptible(async (signal) => {
    try {
      const result = await packed(checkpoint, flags, reporter, signal);
      reporter.stop();
      tell(result, flags);
    } finally {
      reporter.stop();
    }
  });
}

function tell(result: PackResult, { onnx, json }: PackFlags): void {
  if (onnx !== undefined)
    stderr.line(
      'note: an imported graph has no inputs for keys and values: its clients may train soft prompts, not prefixes, ' +
        'and each token of a generation runs the whole sequence',
    );
  if (!result.hasTokenizer) stderr.line('note: the checkpoint has no tokenizer.json; clients must bring token ids');
  const exposed = exposureNote(result.cut.bottom);
  if (exposed !== undefined) stderr.line(exposed);
  for (const note of result.notes) stderr.line(`note: ${note}`);
  if (json) {
    stdout.json(result);
    return;
  }
  const { backbone, client } = result.parameters;
  const side = (dir: string, parameters: number): string =>
    `${dir}  ${parameters.toLocaleString('en-US')} parameters (${((100 * parameters) / (backbone + client)).toFixed(1)} %)`;
  stdout.line(`model          ${result.name}`);
  stdout.line(`backbone       ${side(result.backboneDir, backbone)}`);
  stdout.line(`client bundle  ${side(result.clientBundleDir, client)}`);
  stdout.line(`backbone digest ${result.backboneDigest}`);
  if (result.wire !== undefined)
    stdout.line(
      `wire dtypes    f32, bf16, int8${f16Fit(result.wire) === 'overflows' ? '; not f16' : ', f16'} (${measuredText(result.wire)})`,
    );
  if (result.embeddingNorms !== undefined) stdout.line(`embedding      ${normsText(result.embeddingNorms)}`);
  if (result.signer !== undefined) stdout.line(`signed by      ${result.signer}`);
}

async function packed(
  checkpoint: string | undefined,
  options: PackFlags,
  { progress }: PackReporter,
  signal: AbortSignal,
): Promise<PackResult> {
  const { onnx, bundleFrom, bottom, top, out, name, sign, force, measure, json: _json, ...outside } = options;
  if (onnx === undefined) {
    const [flag] = Object.entries({ bundleFrom, ...outside }).find(([, value]) => value !== undefined) ?? [];
    if (flag !== undefined) throw wrong(`--${kebab(flag)} goes with --onnx`);
    if (checkpoint === undefined) throw wrong('expected a checkpoint directory, or --onnx FILE --bundle-from DIR');
    const [{ pack }, { openGraphs }, { tryText }, signer] = await Promise.all([
      import('../../compiler/pack/pack.js'),
      import('../../runtime/graphs.js'),
      import('./try-text.js'),
      signerOf(sign),
    ]);
    const named = name === undefined ? {} : { name };
    const trying = { tryClient: tryText, ...(measure && { openGraphs }), onProgress: progress, signal };
    return pack({ checkpointDir: checkpoint, bottom, top, outDir: out, ...named, force, signer, ...trying });
  }
  if (checkpoint !== undefined) throw wrong('--onnx brings the backbone; give the directory as --bundle-from');
  if (bundleFrom === undefined) throw wrong('--onnx needs --bundle-from DIR, which holds tokenizer, embedding and head');
  for (const [flag, blocks] of Object.entries({ bottom, top })) {
    if (blocks > 0) throw wrong(`--${flag} ${blocks}: an imported graph is one block that cannot be cut; leave it out`);
  }
  const [{ packOnnx }, { openGraphs }, { tryText }] = await Promise.all([
    import('../../compiler/pack/onnx-pack.js'),
    import('../../runtime/graphs.js'),
    import('./try-text.js'),
  ]);
  return packOnnx({
    ...outside,
    onnxPath: onnx,
    bundleFromDir: bundleFrom,
    outDir: out,
    name,
    force,
    measure,
    signer: await signerOf(sign),
    openGraphs,
    tryClient: tryText,
    onProgress: progress,
    signal,
  });
}

const normsText = ({ least, p1, p99, greatest }: EmbeddingNorms): string =>
  `rows are ${least} to ${greatest} long, and 98 % of them ${p1} to ${p99}`;

const signerOf = async (file: string | undefined): Promise<SigningJwk | undefined> =>
  file === undefined ? undefined : (await import('../signer/signer-file.js')).readSigner(file);

const wrong = (message: string): CutlayerError => new CutlayerError('INVALID_OPTION', `pack: ${message}`);
