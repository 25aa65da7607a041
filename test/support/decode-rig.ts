/** A packed fixture with its decoder open, and what whole sequences give. */
import { wholeFeeds } from '../../src/artifacts/row-feeds.js';
import { stepGraphsOf } from '../../src/artifacts/step-graphs.js';
import { type Decoder, type DecoderOptions, type Lane, openDecoder } from '../../src/gateway/decode/decoder.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { type Adapter, type PackedModel, positionsTensor, takeRows } from './packed-model.js';
import { seeded, uniform } from './random.js';

export interface DecodeRig {
  readonly model: PackedModel;
  readonly decoder: Decoder;
  readonly hiddenSize: number;
  /** Random rows of a span, the same for the same seed. */
  rows(count: number, seed: number): Tensor<'float32'>;
  /** The backbone's output of one whole sequence, at all rows: of the soft prompt, then of text. */
  whole(text: Tensor<'float32'>, adapter?: Adapter): Promise<Tensor<'float32'>>;
  close(): Promise<void>;
}

export async function decodeRig(model: PackedModel, options: Omit<DecoderOptions, 'artifact'> = {}): Promise<DecodeRig> {
  const decoder = await openDecoder({ artifact: model.backbone, threads: 1, ...options });
  const { hiddenSize } = model.backbone.manifest.dims;
  return {
    model,
    decoder,
    hiddenSize,
    rows: (count, seed) => uniform('float32', [count, hiddenSize], seeded(seed)),
    async whole(text, { kind, value } = { kind: 'none' }) {
      const count = text.shape[0]! + (kind === 'softPrompt' ? value!.shape[0]! : 0);
      const { infer } = stepGraphsOf(model.backbone.manifest, kind);
      const feeds = {
        ...wholeFeeds(f32([1, ...text.shape], text.data), infer.inputs),
        positions: positionsTensor([...Array(count).keys()]),
        ...(kind === 'softPrompt' && { softPrompt: value! }),
        ...(kind === 'prefix' && { prefix: value! }),
      };
      const { output } = await model.run('backbone', infer, feeds);
      return output as Tensor<'float32'>; // the graph declares it
    },
    async close() {
      await decoder.close();
      await model.close();
    },
  };
}

/** Rows [start, end). */
export function rowsOf(all: Tensor<'float32'>, start: number, end: number): Tensor<'float32'> {
  return takeRows(
    all,
    Array.from({ length: end - start }, (_, at) => start + at),
  );
}

/** The rows one under the other. */
export function stacked(...parts: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const data = Float32Array.from(parts.flatMap((part) => [...part.data]));
  return f32([data.length / parts[0]!.shape[1]!, parts[0]!.shape[1]!], data);
}

/** Appends rows to one lane in calls that end at these rows; the outputs of all, from `from` on. */
export async function appendInTurns(
  decoder: Decoder,
  lane: Lane,
  all: Tensor<'float32'>,
  ends: readonly number[],
  from = 0,
): Promise<Tensor<'float32'>> {
  const outputs: Tensor<'float32'>[] = [];
  let start = 0;
  for (const end of ends) {
    outputs.push(...(await decoder.append([{ lane, from: from + start, rows: rowsOf(all, start, end) }])));
    start = end;
  }
  return stacked(...outputs);
}
