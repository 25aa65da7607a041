/**
 * The label of a row by its cotangent, with a known head. The cotangents of likely labels are
 * computed, and the one that agrees with what was sent is taken.
 */
import { addFloats, concatRows } from '../../../src/tensor/floats.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { ClientBundle, HeadParts } from '../model/client-bundle.js';
import { argmax, logitRows } from './logit-rows.js';

type Floats = Tensor<'float32'>;

/** Labels whose cotangents are computed for a row: at first, at a time, and at most. */
const FIRST_CANDIDATES = 32;
const CANDIDATES = 256;
export const MOST_CANDIDATES = 4096;
/** The step along a cotangent, relative to the row's length. */
const STEP = 1e-2;

/** What was sent of some rows, by their numbers. */
export interface Sent {
  /** What it leaves of a label's cotangent [d]: next to nothing of the right label's. */
  left(row: number, cotangent: Float32Array): Float32Array;
  /** So much may rounding leave. */
  rounding(row: number, cotangent: Float32Array): number;
}

/** @param outputs [N, d], behind all blocks @returns the label of each row */
export async function labelsOfRows(
  bundle: ClientBundle,
  outputs: Floats,
  { left, rounding }: Sent,
  head: HeadParts,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const [count, d] = outputs.shape as [number, number];
  const rowOf = ({ data }: Floats, row: number): Float32Array => data.subarray(row * d, (row + 1) * d);
  const cotangentsOf = async (rows: Floats, labels: ArrayLike<number>): Promise<Floats> => {
    const wanted = BigInt64Array.from({ length: labels.length }, (_, at) => BigInt(labels[at]!));
    return f32(rows.shape, (await bundle.losses(rows, wanted, { wantCotangent: true, head, signal })).cotangent!);
  };
  const first: number[] = [];
  for await (const { logits } of logitRows(bundle, outputs, head, signal)) first.push(argmax(logits));
  // The difference of two labels has no softmax in it: it points from one label to the other.
  const ofFirst = await cotangentsOf(outputs, first);
  const apart = concatRows(first.map((_, row) => f32([1, d], left(row, rowOf(ofFirst, row)))));
  const rises: Float32Array[] = [];
  for await (const { logits } of logitRows(bundle, shifted(outputs, apart, STEP), head, signal)) rises.push(logits.slice());
  for await (const { row, logits } of logitRows(bundle, shifted(outputs, apart, -STEP), head, signal))
    addFloats(
      rises[row]!,
      logits.map((value) => -value),
    );
  const labels: number[] = [];
  for (let row = 0; row < count; row++) {
    let best = { label: first[row]!, distance: length(rowOf(apart, row)), cotangent: rowOf(ofFirst, row) };
    const order = Int32Array.from(rises[row]!.keys()).sort((a, b) => rises[row]![b]! - rises[row]![a]!);
    const most = Math.min(order.length, MOST_CANDIDATES);
    for (
      let from = 0, size = FIRST_CANDIDATES;
      from < most && best.distance > rounding(row, best.cotangent);
      from += size, size = CANDIDATES
    ) {
      const likely = order.subarray(from, Math.min(most, from + size));
      const repeated = concatRows([...likely].map(() => f32([1, d], rowOf(outputs, row))));
      const found = await cotangentsOf(repeated, likely);
      for (const [at, label] of likely.entries()) {
        const cotangent = rowOf(found, at);
        const distance = length(left(row, cotangent));
        if (distance < best.distance) best = { label, distance, cotangent };
      }
    }
    labels.push(best.label);
  }
  return labels;
}

/** Rows a little farther along the cotangents. */
function shifted(rows: Floats, cotangents: Floats, step: number): Floats {
  const d = rows.shape[1]!;
  const data = rows.data.slice();
  for (let at = 0; at < data.length; at += d) {
    const [row, cotangent] = [rows.data.subarray(at, at + d), cotangents.data.subarray(at, at + d)];
    const scale = (step * length(row)) / (length(cotangent) || 1);
    for (let i = 0; i < d; i++) data[at + i] = row[i]! + scale * cotangent[i]!;
  }
  return f32(rows.shape, data);
}

const length = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
