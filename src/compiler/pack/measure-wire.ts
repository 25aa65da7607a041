/**
 * Measures the values that cross between client and gateway, on a few fixed token sequences, so
 * that a bundle says whether f16 holds them. What is measured is no bound.
 */
import type { BackboneManifest, ClientBundleManifest, WireRange } from '../../artifacts/manifest.js';
import { wholeFeeds } from '../../artifacts/row-feeds.js';
import { f32, type Tensor, tensor } from '../../tensor/tensor.js';
import type { GraphOpener } from './onnx-trial.js';

/** Sequences and their length, where the model has so many positions. */
const SEQUENCES = 4;
const LENGTH = 32;

/** The fraction of the golden ratio: its multiples are spread evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** A written artifact's directory and what its manifest says. */
interface Written<Manifest> {
  readonly dir: string;
  readonly manifest: Manifest;
}

/**
 * Runs embedding, bottom and backbone on ids that are spread over the vocabulary, after the bos
 * token where there is one.
 * @returns Undefined where values are not finite
 * @throws CutlayerError what the graphs fail with; AbortError when the signal fires
 */
export async function measureWire(
  backbone: Written<BackboneManifest>,
  client: Written<Pick<ClientBundleManifest, 'graphs' | 'vocabSize' | 'bosTokenId' | 'weightsFile'>>,
  openGraphs: GraphOpener,
  signal?: AbortSignal,
): Promise<WireRange | undefined> {
  const { dims, graphs } = backbone.manifest;
  const length = Math.min(LENGTH, dims.maxPositions);
  const hiddenStates = await hiddenStatesOf(client, length, openGraphs);
  signal?.throwIfAborted();
  const rows = SEQUENCES * length;
  const { infer } = graphs.none;
  const opened = await openGraphs({ dir: backbone.dir, weightsFile: backbone.manifest.weightsFile, graphs: [infer.file] });
  try {
    const positions = tensor('int64', [rows], BigInt64Array.from(Array(rows).keys(), BigInt));
    const { output } = await opened.run(infer.file, { ...wholeFeeds(hiddenStates, infer.inputs), positions });
    const range = { tokens: rows, cut: largest(hiddenStates), output: largest(output!) };
    return Number.isFinite(range.cut) && Number.isFinite(range.output) ? range : undefined;
  } finally {
    await opened.close();
  }
}

/** The rows that a client sends for the sequences: [sequences, length, hiddenSize]. */
async function hiddenStatesOf(
  { dir, manifest }: Parameters<typeof measureWire>[1],
  length: number,
  openGraphs: GraphOpener,
): Promise<Tensor<'float32'>> {
  const { embed, bottom } = manifest.graphs;
  const held = bottom?.none.forward;
  const entries = [embed, ...(held === undefined ? [] : [held])];
  const opened = await openGraphs({ dir, weightsFile: manifest.weightsFile, graphs: entries.map(({ file }) => file) });
  try {
    const tokenIds = tensor('int64', [SEQUENCES, length], tokens(length, manifest));
    const embedded = (await opened.run(embed.file, { tokenIds }))[embed.outputs[0]!]!;
    const inputsEmbeds = f32(embedded.shape, embedded.data as Float32Array); // these graphs give float32
    if (held === undefined) return inputsEmbeds;
    const { hiddenStates } = await opened.run(held.file, wholeFeeds(inputsEmbeds, held.inputs, 'inputsEmbeds'));
    return f32(inputsEmbeds.shape, hiddenStates!.data as Float32Array);
  } finally {
    await opened.close();
  }
}

function tokens(length: number, { vocabSize, bosTokenId }: Pick<ClientBundleManifest, 'vocabSize' | 'bosTokenId'>): BigInt64Array {
  return BigInt64Array.from({ length: SEQUENCES * length }, (_, at) => {
    if (at % length === 0 && bosTokenId !== null && bosTokenId < vocabSize) return BigInt(bosTokenId);
    return BigInt(Math.floor(((at * GOLDEN) % 1) * vocabSize));
  });
}

/**
 * The largest absolute value; NaN where there is one. Rounded, so that machines whose sums end in
 * other bits mostly write the same bundle.
 */
function largest({ data }: Tensor): number {
  return Number((data as Float32Array).reduce((most, value) => Math.max(most, Math.abs(value)), 0).toPrecision(4)); // float32 graphs
}
