/**
 * Causal self-attention of rows that follow rows whose keys and values are kept: one lane's rows
 * over one lane's memory. The memory is an input, and the new rows' keys and values are outputs.
 * The caller gives these outputs memory of the lane, so ONNX Runtime writes them where the products
 * read. One Split makes queries, keys and values, so no product of theirs runs before that.
 *
 * A row's bits depend on its lane's content alone: not on other lanes, not on the number of rows in
 * a run, not on threads. ONNX Runtime's float32 products sum the inner dimension in blocks, whose
 * size depends on the columns that a thread computes. So scores have an inner dimension of at most
 * {@link MAX_INNER}, one block. Products with the values have at most {@link MAX_COLUMNS} columns,
 * which are never shared out. A product of one row takes another kernel, so there are at least two
 * rows. Softmax sums by index alone if the keys are a multiple of {@link KEY_BLOCK}.
 */
import { f32 } from '../../tensor/tensor.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { addDims, type Dim, multiplyDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import { AHEAD } from './masked-scores.js';
import type { AttentionSpec } from './spec.js';

/** The inner dimension up to which a product is one block. */
const MAX_INNER = 128;
/** The columns that a product's threads do not share out. */
const MAX_COLUMNS = 16;

/** A lane's keys and values are fed in multiples of so many rows. */
export const KEY_BLOCK = 128;

/** One lane in one run. */
export interface LaneRows {
  /** S: its new rows. */
  readonly rows: Dim;
  /** T: rows of its memory that are read, the new ones included. */
  readonly keys: Dim;
  /** Position ids of the new rows, int64 [S]: the last key that each sees. */
  readonly positions: Value;
  /** Position ids of padding rows, int64 [0] or [1]: 0. Their attention is dropped. */
  readonly padding: Value;
}

/** A lane's memory in one block, as {@link laneShapes} lays it out. */
export interface LaneMemory {
  readonly keys: Value;
  readonly values: Value;
}

/** How a row's keys and values are divided: the axes after that of rows. */
export function laneShapes({ numKvHeads, headDim }: AttentionSpec): {
  readonly keys: readonly number[];
  readonly values: readonly number[];
} {
  const parts = keyParts(headDim);
  const columns = largestDivisor(headDim, MAX_COLUMNS);
  return { keys: [numKvHeads * parts, headDim / parts], values: [numKvHeads, headDim / columns, columns] };
}

/** Into how many parts a head's scores are summed up. */
const keyParts = (headDim: number): number => headDim / largestDivisor(headDim, MAX_INNER);

function largestDivisor(of: number, atMost: number): number {
  let divisor = Math.min(of, atMost);
  while (of % divisor !== 0) divisor--;
  return divisor;
}

/**
 * Attends.
 * @param query [S, numHeads * headDim]
 * @returns [S, numHeads * headDim]
 */
export function attendLane({ g, spec }: DecoderGraph, lane: LaneRows, window: number | null, query: Value, memory: LaneMemory): Value {
  const { numHeads, numKvHeads, headDim, scale, softcap } = spec.attention;
  const [group, width] = [numHeads / numKvHeads, numHeads * headDim];
  const [parts, columns] = [keyParts(headDim), largestDivisor(headDim, MAX_COLUMNS)];
  const padding = lane.padding.shape[0]!;
  const S = addDims(lane.rows, padding);
  const [M, T] = [multiplyDims(group, S), lane.keys];
  const queries = g.concat([query, g.fill([padding, width], 0)], 0); // [S, h * headDim]
  const heads = g.reshape(queries, [S, numKvHeads, group, parts, headDim / parts]); // [S, kv, group, parts, headDim / parts]
  const grouped = group === 1 ? heads : g.transpose(heads, [0, 2, 1, 3, 4]); // [S, group, kv, parts, headDim / parts], of one group unmoved
  const rows = g.reshape(grouped, [M, numKvHeads * parts, headDim / parts]); // [S * group, kv * parts, headDim / parts]
  const alpha = softcap === null ? scale : scale / softcap;
  const products = g.fusedMatMul(rows, memory.keys, { alpha, transB: 1, transBatchA: 1, transBatchB: 1 }); // [kv * parts, S * group, T]
  const byPart = g.split(g.reshape(products, [numKvHeads, parts, S, group, T]), Array<number>(parts).fill(1), 1);
  const summed = byPart.map((part) => g.reshape(part, [numKvHeads, S, group, T])).reduce((sum, part) => g.add(sum, part)); // [kv, S, group, T]
  const scores = softcap === null ? summed : g.mul(g.tanh(summed), softcap);
  const weights = g.softmax(g.add(scores, laneMask(g, lane, window))); // [kv, S, group, T]
  const mixed = g.fusedMatMul(g.reshape(weights, [numKvHeads, 1, M, T]), memory.values, { transBatchB: 1 }); // [kv, headDim / columns, S * group, columns]
  const byRow = g.transpose(g.reshape(mixed, [numKvHeads, headDim / columns, S, group, columns]), [2, 0, 3, 1, 4]); // [S, kv, group, ..., columns]
  return g.slice(g.reshape(byRow, [S, width]), 0, 0, lane.rows); // [S, h * headDim]
}

/** 0 for keys up to a row's own and within its window, else {@link AHEAD}. [S, 1, T] */
function laneMask(g: GraphBuilder, { keys, positions, padding }: LaneRows, window: number | null): Value {
  const every = g.range(0, keys); // [T]
  const own = g.unsqueeze(g.concat([positions, padding], 0), [1, 2]); // [S, 1, 1]
  const unseen = g.constant(f32([], [AHEAD]));
  const upToOwn = g.where(g.lessOrEqual(every, own), g.constant(f32([], [0])), unseen);
  return window === null ? upToOwn : g.where(g.less(g.sub(own, window), every), upToOwn, unseen);
}
