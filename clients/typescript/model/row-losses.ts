/**
 * The loss of targets in chunks, so that a large vocabulary's logits never exist at once. A row
 * that predicts several targets (a soft prompt's last) is repeated, and its cotangents are summed.
 */
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { LossRows } from '../data/batch.js';
import type { ClientBundle, HeadCotangents, HeadParts, RowLosses } from './client-bundle.js';

/** Per target, and the cotangents of the sum over targets. */
export interface TargetLosses {
  readonly nll: Float32Array;
  readonly correct: Float32Array;
  /** [positions, d] */
  readonly cotangent?: Tensor<'float32'>;
  readonly head?: HeadCotangents;
}

/** The part of a client bundle that computes losses. */
export type LossGraph = Pick<ClientBundle, 'losses'>;

/** How the losses are to be computed. */
export interface RowLossOptions {
  /** Most targets of one run. */
  readonly chunkRows: number;
  readonly wantCotangent: boolean;
  /** What stands in for the checkpoint's own head. */
  readonly head?: HeadParts;
  readonly signal?: AbortSignal | undefined;
}

/** @param rows [positions, d] */
export async function rowLosses(
  graph: LossGraph,
  rows: Tensor<'float32'>,
  { rowOfTarget, labels }: Pick<LossRows, 'rowOfTarget' | 'labels'>,
  { chunkRows, wantCotangent, head = {}, signal }: RowLossOptions,
): Promise<TargetLosses> {
  const d = rows.shape[1]!;
  const nll = new Float32Array(labels.length);
  const correct = new Float32Array(labels.length);
  const cotangent = wantCotangent ? new Float32Array(rows.data.length) : undefined;
  let headCotangents: HeadCotangents = {};
  for (let start = 0; start < labels.length; start += chunkRows) {
    const end = Math.min(labels.length, start + chunkRows);
    const gathered = new Float32Array((end - start) * d);
    for (let target = start; target < end; target++) {
      const row = rowOfTarget[target]!;
      gathered.set(rows.data.subarray(row * d, (row + 1) * d), (target - start) * d);
    }
    const part: RowLosses = await graph.losses(f32([end - start, d], gathered), labels.slice(start, end), { wantCotangent, head, signal });
    nll.set(part.nll, start);
    correct.set(part.correct, start);
    if (cotangent !== undefined && part.cotangent !== undefined) scatterAdd(cotangent, part.cotangent, rowOfTarget.subarray(start, end), d);
    if (part.head !== undefined) headCotangents = addHead(headCotangents, part.head);
  }
  return { nll, correct, ...(cotangent === undefined ? {} : { cotangent: f32(rows.shape, cotangent), head: headCotangents }) };
}

function scatterAdd(into: Float32Array, values: Float32Array, rowOf: Int32Array, d: number): void {
  rowOf.forEach((row, at) => {
    for (let j = 0; j < d; j++) into[row * d + j] = into[row * d + j]! + values[at * d + j]!;
  });
}

/** Adds a chunk's cotangents of the head. */
function addHead(sum: HeadCotangents, part: HeadCotangents): HeadCotangents {
  const add = (a: Tensor<'float32'> | undefined, b: Tensor<'float32'> | undefined) => {
    if (a === undefined || b === undefined) return a ?? b;
    for (let i = 0; i < a.data.length; i++) a.data[i] = a.data[i]! + b.data[i]!;
    return a;
  };
  const [tokenRows, classifier, a, b] = [
    add(sum.tokenRows, part.tokenRows),
    add(sum.classifier, part.classifier),
    add(sum.headLora?.a, part.headLora?.a),
    add(sum.headLora?.b, part.headLora?.b),
  ];
  return {
    ...(tokenRows === undefined ? {} : { tokenRows }),
    ...(classifier === undefined ? {} : { classifier }),
    ...(a === undefined || b === undefined ? {} : { headLora: { a, b } }),
  };
}
