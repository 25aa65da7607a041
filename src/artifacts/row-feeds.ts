/**
 * How a step graph of a backbone takes the rows of its sequences. Graphs with an input `rowOfSlot`
 * take packed rows [R, d], one sequence after another; others take [B, S, d], padded on the right.
 * Where packed sequences differ in length, one more row follows, for padding (its values are never
 * read, and its cotangent is zero).
 */
import { zeros } from '../tensor/floats.js';
import { type PackedSequences, packedRows } from '../tensor/sequences.js';
import { f32, type Tensor, tensor } from '../tensor/tensor.js';

/** Whether a graph with these inputs takes packed rows. */
export const takesPackedRows = (inputs: readonly string[]): boolean => inputs.includes('rowOfSlot');

/** The sequences of padded rows, padding counted. @param shape [B, S, d] */
export const wholeSequences = ([batch, sequence]: readonly number[]): PackedSequences => ({
  lengths: Array<number>(batch!).fill(sequence!),
  sequence: sequence!,
});

/**
 * The feeds of packed rows, and of a vjp the choice of every token's row.
 * @param rows [sum of lengths, d], or of whole sequences [B, S, d]
 */
export function packedFeeds({ shape, data }: Tensor<'float32'>, sequences: PackedSequences): Readonly<Record<string, Tensor>> {
  const d = shape.at(-1)!;
  const count = data.length / d;
  const { lengths, sequence } = sequences;
  const hasPadding = count < lengths.length * sequence;
  const hiddenStates = hasPadding ? zeros([count + 1, d]) : f32([count, d], data);
  if (hasPadding) {
    hiddenStates.data.set(data);
    hiddenStates.data.copyWithin(count * d, 0, d);
  }
  return { hiddenStates, ...packedIndices(sequences), cotangentRows: firstRows(count) };
}

/** `cotangentRows` of a vjp that is to give the cotangents of the first rows: int64 [count]. */
export function firstRows(count: number): Tensor<'int64'> {
  const rows = new BigInt64Array(count);
  const words = new Uint32Array(rows.buffer);
  for (let row = 0; row < count; row++) words[2 * row] = row;
  return tensor('int64', [count], rows);
}

/** `rowOfSlot` int64 [B, S] and `slotOfRow` int64 [R] of packed rows. */
function packedIndices({ lengths, sequence }: PackedSequences): Readonly<Record<'rowOfSlot' | 'slotOfRow', Tensor>> {
  const count = packedRows(lengths);
  const slots = lengths.length * sequence;
  const rowOfSlot = new BigInt64Array(slots).fill(BigInt(count));
  const slotOfRow = new BigInt64Array(count < slots ? count + 1 : count);
  // Little-endian 64-bit integers below 2^32: the low words are the values. Faster than BigInts.
  const [rows, places] = [new Uint32Array(rowOfSlot.buffer), new Uint32Array(slotOfRow.buffer)];
  let row = 0;
  for (const [b, length] of lengths.entries()) {
    for (let slot = b * sequence; slot < b * sequence + length; slot++) {
      rows[2 * slot] = row;
      places[2 * row++] = slot;
    }
    if (length < sequence) places[2 * count] = b * sequence + length;
  }
  return { rowOfSlot: tensor('int64', [lengths.length, sequence], rowOfSlot), slotOfRow: tensor('int64', [slotOfRow.length], slotOfRow) };
}

/** The rows of tokens alone, of a tensor [R, d] of packed rows; a view. */
export function tokenRows({ shape, data }: Tensor<'float32'>, { lengths }: PackedSequences): Tensor<'float32'> {
  const d = shape[1]!;
  const count = packedRows(lengths);
  return f32([count, d], data.subarray(0, count * d));
}

/**
 * The feeds of a forward for padded rows whose padding counts, in either form.
 * @param rows [B, S, d]
 * @param name of the input that takes them
 */
export function wholeFeeds(rows: Tensor<'float32'>, inputs: readonly string[], name = 'hiddenStates'): Readonly<Record<string, Tensor>> {
  if (!takesPackedRows(inputs)) return { [name]: rows };
  const { hiddenStates, rowOfSlot, slotOfRow } = packedFeeds(rows, wholeSequences(rows.shape));
  return { [name]: hiddenStates!, rowOfSlot: rowOfSlot!, slotOfRow: slotOfRow! };
}
