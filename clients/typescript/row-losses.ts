/**
 * The loss of a step's targets in chunks of rows, so that the logits of a large vocabulary never exist at once. Several targets may be predicted
 * from one row (the last row of a soft prompt, by every sequence): the row is repeated for the loss and its cotangents are summed.
 */
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import type { ClientBundle, RowLosses } from './client-bundle.js';
import type { LossRows } from './data/batch.js';

/** Per target, and the cotangent [positions, d] of the sum over targets. */
export interface TargetLosses {
  readonly nll: Float32Array;
  readonly correct: Float32Array;
  readonly cotangent?: Tensor<'float32'>;
}

/** The part of a client bundle that computes losses. */
export type LossGraph = Pick<ClientBundle, 'losses'>;

/**
 * @param rows [positions, d]
 * @param chunkRows Most targets of one run.
 */
export async function rowLosses(
  graph: LossGraph,
  rows: Tensor<'float32'>,
  { rowOfTarget, labels }: Pick<LossRows, 'rowOfTarget' | 'labels'>,
  chunkRows: number,
  wantCotangent: boolean,
  signal?: AbortSignal,
): Promise<TargetLosses> {
  const d = rows.shape[1]!;
  const nll = new Float32Array(labels.length);
  const correct = new Float32Array(labels.length);
  const cotangent = wantCotangent ? new Float32Array(rows.data.length) : undefined;
  for (let start = 0; start < labels.length; start += chunkRows) {
    const end = Math.min(labels.length, start + chunkRows);
    const gathered = new Float32Array((end - start) * d);
    for (let target = start; target < end; target++) {
      const row = rowOfTarget[target]!;
      gathered.set(rows.data.subarray(row * d, (row + 1) * d), (target - start) * d);
    }
    const part: RowLosses = await graph.losses(f32([end - start, d], gathered), labels.slice(start, end), wantCotangent, signal);
    nll.set(part.nll, start);
    correct.set(part.correct, start);
    if (cotangent !== undefined && part.cotangent !== undefined) scatterAdd(cotangent, part.cotangent, rowOfTarget.subarray(start, end), d);
  }
  return { nll, correct, ...(cotangent === undefined ? {} : { cotangent: f32(rows.shape, cotangent) }) };
}

function scatterAdd(into: Float32Array, values: Float32Array, rowOf: Int32Array, d: number): void {
  rowOf.forEach((row, at) => {
    for (let j = 0; j < d; j++) into[row * d + j] = into[row * d + j]! + values[at * d + j]!;
  });
}
