/**
 * Sequences of rows in two layouts: padded on the right to [batch, sequence, d], and packed, one
 * after another without padding, [sum of lengths, d]. A message may have either (split.proto).
 */
import { zeros } from '../../tensor/floats.js';
import { type PackedSequences, packedRows } from '../../tensor/sequences.js';
import { f32, type Tensor } from '../../tensor/tensor.js';

/** Where each sequence begins among packed rows; last, where the rows end. */
export function packedStarts(lengths: readonly number[]): readonly number[] {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return starts;
}

/** Where each sequence begins among padded rows; last, where the rows end. */
export const paddedStarts = (batch: number, sequence: number): readonly number[] =>
  Array.from({ length: batch + 1 }, (_, b) => b * sequence);

/**
 * Packs padded rows: [batch, sequence, d] to [sum of lengths, d].
 */
export function packRows({ shape, data }: Tensor<'float32'>, { lengths, sequence }: PackedSequences): Tensor<'float32'> {
  const d = shape.at(-1)!;
  const packed = new Float32Array(packedRows(lengths) * d);
  let at = 0;
  for (const [b, length] of lengths.entries()) {
    packed.set(data.subarray(b * sequence * d, (b * sequence + length) * d), at);
    at += length * d;
  }
  return f32([at / d, d], packed);
}

/** Pads packed rows with zeros: [sum of lengths, d] to [batch, sequence, d]. */
export function padRows({ shape, data }: Tensor<'float32'>, { lengths, sequence }: PackedSequences): Tensor<'float32'> {
  const d = shape.at(-1)!;
  const padded = zeros([lengths.length, sequence, d]);
  let at = 0;
  for (const [b, length] of lengths.entries()) {
    padded.data.set(data.subarray(at, at + length * d), b * sequence * d);
    at += length * d;
  }
  return padded;
}

/** Two layouts of the same rows, by where each sequence begins. */
export interface Renumbering {
  /** Rows before those of the sequences, in both layouts. */
  readonly lead: number;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The numbers in the one layout of increasing row numbers in the other. */
export function renumbered(rows: ArrayLike<number>, { lead, from, to }: Renumbering): Uint32Array {
  const numbers = new Uint32Array(rows.length);
  let b = 0;
  for (let i = 0; i < numbers.length; i++) {
    const text = rows[i]! - lead;
    while (b + 1 < from.length && text >= from[b + 1]!) b++;
    numbers[i] = text < 0 ? rows[i]! : lead + to[b]! + text - from[b]!;
  }
  return numbers;
}
