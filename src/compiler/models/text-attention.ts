/**
 * Attention of the text's rows, in parts of consecutive queries. A part leaves out the keys after
 * its last query, and those before the window of its first. All parts have the same length, and
 * overlap where it does not divide the sequence; the later part's rows count. So no part is ever
 * empty. ONNX Runtime does not write the result of a product whose inner dimension is 0, and a vjp
 * would have such products.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { positivePart, shareOf } from '../onnx/computed-dim.js';
import { addDims, type Dim, dimsEqual, multiplyDims, subtractDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import { causalMask, scoresOf } from './masked-scores.js';
import { headsByRow, headsBySequence } from './row-packing.js';
import type { RowLayout } from './rows.js';

/** Parts of the queries of a block whose window is far shorter than the sequences may be. */
const WINDOW_PARTS = 4;

const SHORT_WINDOW = 1024;

/** Keys (after rope) and values of a prefix in one block, each [P, numKvHeads, headDim]. */
export interface PrefixBlock {
  readonly key: Value;
  readonly value: Value;
}

/**
 * The text's rows attend to the virtual tokens and to their own sequence.
 * @param query [T, numHeads * headDim], T the text's rows, packed or B * S
 * @param key [T, numKvHeads * headDim]
 * @param value [T, numKvHeads * headDim]
 * @returns [T, numHeads * headDim]
 */
export function attendText(
  decoder: DecoderGraph,
  layout: RowLayout,
  window: number | null,
  query: Value,
  key: Value,
  value: Value,
  shared: PrefixBlock | undefined,
): Value {
  const { g, spec } = decoder;
  const { numHeads, numKvHeads, headDim } = spec.attention;
  const { batch: B, sequence: S } = layout;
  const group = numHeads / numKvHeads;
  const byHead = (rows: Value, heads: number): Value => headsBySequence(g, layout, rows, heads, headDim); // [B, heads, S, headDim]
  const queries = g.reshape(byHead(query, numHeads), [B, numKvHeads, group, S, headDim]); // [B, kv, group, S, headDim]
  const keys = behindVirtual(g, layout, byHead(key, numKvHeads), shared?.key); // [B, kv, P + S, headDim]
  const values = behindVirtual(g, layout, byHead(value, numKvHeads), shared?.value);
  const attended = queryParts(decoder, layout, window).map((part) => {
    const seen = (rows: Value): Value => rowsBetween(g, rows, 2, part.firstKey, part.endKey);
    const own = rowsBetween(g, queries, 3, part.start, addDims(part.start, part.length));
    return rowsBetween(g, attendBlock(decoder, own, part, seen(keys), seen(values), window), 3, 0, part.kept);
  });
  return headsByRow(g, layout, g.concat(attended, 3), numHeads, headDim);
}

/** Rows of a value along an axis: the value itself where they are all. */
function rowsBetween(g: GraphBuilder, value: Value, axis: number, start: Dim, end: Dim): Value {
  return start === 0 && dimsEqual(end, value.shape[axis]!) ? value : g.slice(value, axis, start, end);
}

/** Consecutive queries of a sequence, and the keys that they may see, virtual tokens counted. */
interface QueryPart {
  readonly start: Dim;
  readonly length: Dim;
  /** So many of its rows count; those after them are the next part's too. */
  readonly kept: Dim;
  /** The last key that its first query sees. */
  readonly ownKey: Dim;
  readonly firstKey: Dim;
  readonly endKey: Dim;
}

function queryParts(decoder: DecoderGraph, { virtualTokens, sequence }: RowLayout, window: number | null): readonly QueryPart[] {
  const { windowParts, queryHalves } = decoder.optimizations;
  const count = comesInParts(decoder, window) ? WINDOW_PARTS : queryHalves ? 2 : 1;
  const share = shareOf(sequence, count);
  const length = subtractDims(sequence, multiplyDims(count - 1, share));
  return Array.from({ length: count }, (_, at) => {
    const start = multiplyDims(at, share);
    const ownKey = addDims(virtualTokens, start);
    const firstKey = window !== null && windowParts ? positivePart(addDims(ownKey, 1 - window)) : 0;
    return { start, length, kept: at < count - 1 ? share : length, ownKey, firstKey, endKey: addDims(ownKey, length) };
  });
}

/** Whether a block has a window that a sequence may hold twice. */
function comesInParts({ spec, optimizations }: DecoderGraph, window: number | null): window is number {
  return window !== null && optimizations.windowParts && 2 * window <= spec.maxPositions;
}

/**
 * Whether a block's queries leave out so many keys that a kernel which goes over all of them takes
 * longer. Up to this window their scores are small too.
 */
export function leavesOutMost(decoder: DecoderGraph, window: number | null): boolean {
  return comesInParts(decoder, window) && window <= SHORT_WINDOW;
}

/**
 * The sequences' own keys or values with those of the virtual tokens before them.
 * @param own [B, kv, S, headDim]
 * @param virtual [P, kv, headDim]
 * @returns [B, kv, P + S, headDim]
 */
function behindVirtual(g: GraphBuilder, { batch, virtualTokens }: RowLayout, own: Value, virtual: Value | undefined): Value {
  if (virtual === undefined) return own;
  const [, numKvHeads, , headDim] = own.shape as readonly [Dim, number, Dim, number];
  const everywhere = g.expand(g.transpose(virtual, [1, 0, 2]), [batch, numKvHeads, virtualTokens, headDim]); // P rows a sequence: small beside the scores
  return g.concat([everywhere, own], 2);
}

/**
 * Attention of consecutive queries to the keys of their part, K of them.
 * @param queries [B, kv, group, Q, headDim]
 * @param keys [B, kv, K, headDim]
 * @param values [B, kv, K, headDim]
 * @returns [B, kv, group, Q, headDim]
 */
function attendBlock(
  decoder: DecoderGraph,
  queries: Value,
  { ownKey, firstKey }: QueryPart,
  keys: Value,
  values: Value,
  window: number | null,
): Value {
  const { g } = decoder;
  const [B, kv, group, Q, headDim] = queries.shape as readonly [Dim, number, number, Dim, number];
  const K = keys.shape[2]!;
  const rows = g.reshape(queries, [B, kv, multiplyDims(group, Q), headDim]); // [B, kv, group * Q, headDim]
  const scores = scoresOf(decoder, rows, keys); // [B, kv, group * Q, K]
  const masked = g.add(g.reshape(scores, [B, kv, group, Q, K]), causalMask(g, Q, ownKey, window, firstKey)); // [B, kv, group, Q, K]
  const weights = g.reshape(g.softmax(masked), [B, kv, multiplyDims(group, Q), K]); // [B, kv, group * Q, K]
  return g.reshape(g.matMul(weights, values), [B, kv, group, Q, headDim]); // [B, kv, group, Q, headDim]
}
