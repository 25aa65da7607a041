/**
 * A step of many rows runs as several runs of whole sequences, so that other tenants wait for one
 * run and not for the step. The rule depends on the step alone. So the same step gives the same
 * bits, whichever others wait.
 *
 * Sequences are independent: outputs and cotangents of hidden states are joined, cotangents of the
 * adapter are summed in order. A single sequence is never cut.
 *
 * Each run computes the rows of a soft prompt again. So slices beside a long prompt are longer, up
 * to a bound: a long prompt must not make a step that is never cut.
 */
import { releaseTensors } from '../../runtime/release.js';
import { f32, type Tensor } from '../../tensor/tensor.js';
import { type CheckedInputs, paddedShape, promptRowsOf, sequenceStarts } from './step-inputs.js';

/** Rows of text in a slice, at least. Reading the weights once more costs some 32 rows: 6%. */
const SLICE_ROWS = 512;
/** Rows of text for each row of a soft prompt, whose rows are 2% of the time then. */
const ROWS_PER_PROMPT_ROW = 50;
/** A slice need not have more than these, whatever the prompt. */
const ENOUGH_ROWS = 2048;

/** Some sequences of a step. */
export interface StepSlice {
  readonly index: number;
  /**
   * Those sequences, as views; the adapter is whole. All of the step's own when it is one slice.
   */
  readonly inputs: CheckedInputs;
  /** Rows that run, those of a soft prompt and padding included. */
  readonly rows: number;
  /** Where its hidden states begin in the step's, in elements. */
  readonly offset: number;
  /** Its rows of the step's output and cotangent: from, and to without the last. */
  readonly answered: readonly [from: number, to: number];
}

/** What a vjp gives of a step or of a slice. */
export interface Cotangents {
  /** The adapter's shape, summed over the batch; absent without an adapter. */
  readonly adapterCotangent?: Tensor<'float32'>;
  /** The hidden states' shape, when wanted. */
  readonly hiddenStatesCotangent?: Tensor<'float32'>;
}

/** The slices of a step in order; sequences without a wanted row are in none when it is cut. */
export function sliceStep(inputs: CheckedInputs): readonly StepSlice[] {
  const { hiddenStates, packed, adapter, positions } = inputs;
  const [batch, sequence] = paddedShape(inputs);
  const hiddenSize = hiddenStates.shape.at(-1)!;
  const promptRows = promptRowsOf(adapter);
  const leastRows = Math.min(Math.max(SLICE_ROWS, ROWS_PER_PROMPT_ROW * promptRows), ENOUGH_ROWS);
  const count = Math.max(1, Math.floor(batch / Math.ceil(leastRows / sequence)));
  if (count === 1) return [{ index: 0, inputs, rows: promptRows + batch * sequence, offset: 0, answered: [0, positions.length] }];
  const starts = sequenceStarts(inputs);
  const slices: StepSlice[] = [];
  let from = 0;
  for (let index = 0; index < count; index++) {
    const [first, end] = [Math.floor((index * batch) / count), Math.floor(((index + 1) * batch) / count)];
    const [start, stop] = [starts[first]!, starts[end]!];
    const to = firstAtLeast(positions, promptRows + stop, from);
    if (to === from) continue;
    const shift = BigInt(start);
    const own = positions.slice(from, to).map((row) => (row < promptRows ? row : row - shift));
    const offset = start * hiddenSize;
    const values = hiddenStates.data.subarray(offset, stop * hiddenSize);
    const shape = packed === undefined ? [end - first, sequence, hiddenSize] : [stop - start, hiddenSize];
    // As long as the step's longest: rope that looks at the padded length gives the same.
    const sequences = packed && { lengths: packed.lengths.slice(first, end), sequence };
    const part = { hiddenStates: f32(shape, values), packed: sequences, adapter, positions: own };
    // Whole sequences of checked inputs, and positions among their rows.
    slices.push({ index, inputs: part as CheckedInputs, rows: promptRows + (end - first) * sequence, offset, answered: [from, to] });
    from = to;
  }
  return slices;
}

/**
 * The slice's rows of a tensor [N, hiddenSize] of the step; a copy when there are several slices.
 */
export function rowsOf({ answered: [from, to] }: StepSlice, whole: Tensor<'float32'>): Tensor<'float32'> {
  const [rows, hiddenSize] = whole.shape as readonly [number, number];
  if (to - from === rows) return whole;
  return f32([to - from, hiddenSize], whole.data.slice(from * hiddenSize, to * hiddenSize));
}

/** Joins outputs of slices to [N, hiddenSize], and frees them. */
export function joinOutputs(parts: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const [first] = parts as readonly [Tensor<'float32'>];
  if (parts.length === 1) return first;
  const joined = new Float32Array(parts.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of parts) {
    joined.set(data, at);
    at += data.length;
  }
  releaseTensors(parts);
  const hiddenSize = first.shape[1]!;
  return f32([joined.length / hiddenSize, hiddenSize], joined);
}

/** Joins cotangents of a step's slices, and frees them. Sequences in no slice have zeros. */
export function joinCotangents(inputs: CheckedInputs, slices: readonly StepSlice[], parts: readonly Cotangents[]): Cotangents {
  const [first, ...others] = parts as readonly [Cotangents, ...Cotangents[]];
  if (slices[0]?.inputs === inputs) return first;
  const { shape } = inputs.hiddenStates;
  const { adapterCotangent } = first;
  for (const { adapterCotangent: more } of others) {
    if (adapterCotangent === undefined || more === undefined) continue;
    for (let i = 0; i < more.data.length; i++) adapterCotangent.data[i]! += more.data[i]!;
    releaseTensors([more]);
  }
  if (first.hiddenStatesCotangent === undefined) return first;
  const joined = new Float32Array(inputs.hiddenStates.data.length);
  for (const [at, { hiddenStatesCotangent }] of parts.entries()) {
    if (hiddenStatesCotangent === undefined) continue;
    joined.set(hiddenStatesCotangent.data, slices[at]!.offset);
    releaseTensors([hiddenStatesCotangent]);
  }
  return { ...(adapterCotangent && { adapterCotangent }), hiddenStatesCotangent: f32(shape, joined) };
}

/** The index of the first position that is at least `row`, from `from` on. */
function firstAtLeast(positions: BigInt64Array, row: number, from: number): number {
  let [low, high] = [from, positions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (positions[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return low;
}
