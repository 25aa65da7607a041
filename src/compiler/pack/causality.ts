/**
 * A test of a backbone on random inputs before it is packed. Row s of a sequence must depend on
 * rows 0..s of that sequence only. It must not depend on later rows, other sequences or the batch's
 * length. Sequences are padded on the right without a mask, so this keeps padding from changing
 * results.
 */
import { CutlayerError } from '../../errors.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';

/** Runs the backbone's forward without adapter on [B, S, d], all rows wanted: [B * S, d]. */
export type RunRows = (hiddenStates: Tensor<'float32'>) => Promise<Tensor<'float32'>>;

export interface CausalityCheck {
  readonly hiddenSize: number;
  /** Longest sequence that the backbone takes. */
  readonly maxPositions: number;
  readonly run: RunRows;
  readonly signal?: AbortSignal | undefined;
}

/** The batches tried: sequences and their length. */
const BATCHES: readonly (readonly [number, number])[] = [
  [4, 12],
  [3, 7],
];

/** Tolerance for batches of equal size; other sizes use other kernels and round differently. */
const SAME_BATCH = 1e-5;
const OTHER_BATCH = 2e-4;

/**
 * Runs the test.
 * @throws CutlayerError NOT_CAUSAL naming the first position that depends on a later one;
 *   INVALID_ONNX when an output is not finite or has another shape
 */
export async function checkCausality({ hiddenSize, maxPositions, run, signal }: CausalityCheck): Promise<void> {
  const random = normals(0x5eed);
  for (const [batch, wanted] of BATCHES) {
    const length = Math.min(wanted, maxPositions);
    const width = length * hiddenSize;
    const sequence = (data: Float32Array, at: number): Float32Array => data.subarray(at * width, (at + 1) * width);
    const apply = async (data: Float32Array, rows: number, of = length): Promise<Float32Array> => {
      signal?.throwIfAborted();
      const output = await run(tensor('float32', [rows, of, hiddenSize], data));
      if (output.data.length !== data.length)
        throw new CutlayerError('INVALID_ONNX', `backbone: [${rows}, ${of}, ${hiddenSize}] came back as [${output.shape.join(', ')}]`);
      if (!output.data.every(Number.isFinite))
        throw new CutlayerError(
          'INVALID_ONNX',
          `backbone: its output on random hidden states [${rows}, ${of}, ${hiddenSize}] is not finite`,
        );
      return output.data;
    };
    const input = Float32Array.from({ length: batch * width }, random);
    const output = await apply(input, batch);
    const scale = output.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

    // One sequence is replaced; the others must not change.
    const replaced = input.slice();
    for (let i = 0; i < width; i++) replaced[i] = random();
    const others = await apply(replaced, batch);
    for (let at = 1; at < batch; at++) {
      if (firstMoved(sequence(output, at), sequence(others, at), hiddenSize, length, scale * SAME_BATCH) !== undefined)
        throw notCausal(`sequence ${at} of a batch depends on sequence 0`);
    }

    // Each sequence changes from a position on, until every position was tried; earlier rows must
    // not move.
    const found: { readonly earlier: number; readonly later: number }[] = [];
    for (let offset = 1; offset <= Math.ceil(length / batch); offset++) {
      const from = Array.from({ length: batch }, (_, at) => offset + at * Math.ceil(length / batch));
      const changed = input.slice();
      for (const [at, later] of from.entries()) for (let i = later * hiddenSize; i < width; i++) sequence(changed, at)[i] = random();
      const moved = await apply(changed, batch);
      for (const [at, later] of from.entries()) {
        const earlier = firstMoved(sequence(output, at), sequence(moved, at), hiddenSize, Math.min(later, length), scale * SAME_BATCH);
        if (earlier !== undefined) found.push({ earlier, later });
      }
    }
    const [first] = found.sort((a, b) => a.earlier - b.earlier || b.later - a.later);
    if (first !== undefined)
      throw notCausal(`position ${first.earlier} of the output depends on position ${first.later} of the input or a later one`);

    // A sequence alone, and cut short, must give the same rows as in the batch.
    for (const short of new Set([length, Math.ceil(length / 2), 1])) {
      const alone = await apply(sequence(input, batch - 1).slice(0, short * hiddenSize), 1, short);
      const differs = firstMoved(sequence(output, batch - 1), alone, hiddenSize, short, scale * OTHER_BATCH);
      if (differs !== undefined)
        throw notCausal(
          `position ${differs} of the output is another when the same sequence is sent alone and ${short} long instead of in a batch and ${length} long`,
        );
    }
  }
}

function notCausal(what: string): CutlayerError {
  return new CutlayerError(
    'NOT_CAUSAL',
    `backbone: ${what}; rows may depend on the rows before them in their own sequence and on nothing else, as sequences are padded and no mask is sent: export with causal attention`,
  );
}

/** The first of `rows` rows that differs by more than a tolerance. */
function firstMoved(a: Float32Array, b: Float32Array, width: number, rows: number, tolerance: number): number | undefined {
  for (let i = 0; i < rows * width; i++) if (!(Math.abs(a[i]! - b[i]!) <= tolerance)) return Math.floor(i / width);
  return undefined;
}

/** Standard normal numbers, the same each time: mulberry32 and Box-Muller. */
function normals(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
