/**
 * Attention of the text's rows, the two halves of a sequence's queries apart: those of the first
 * half see no key of the second. Of an odd number of tokens the middle one is a query of both
 * halves, and counts in the second. So no half is ever empty. ONNX Runtime does not write the
 * result of a product whose inner dimension is 0, and a vjp would have such products.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { addDims, type Dim, multiplyDims, shareOf, subtractDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import { causalMask, scoresOf } from './masked-scores.js';
import { headsByRow, headsBySequence } from './row-packing.js';
import type { RowLayout } from './rows.js';

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
  const { g, spec, optimizations } = decoder;
  const { numHeads, numKvHeads, headDim } = spec.attention;
  const { batch: B, sequence: S } = layout;
  const group = numHeads / numKvHeads;
  const byHead = (rows: Value, heads: number): Value => headsBySequence(g, layout, rows, heads, headDim); // [B, heads, S, headDim]
  const grouped = g.reshape(byHead(query, numHeads), [B, numKvHeads, group, S, headDim]); // [B, kv, group, S, headDim]
  const split = optimizations.queryHalves ? halves(S) : undefined;
  const keys = seenKeys(g, layout, byHead(key, numKvHeads), shared?.key, split);
  const values = seenKeys(g, layout, byHead(value, numKvHeads), shared?.value, split);
  const attend = (queries: Value, start: Dim, block: 'first' | 'all'): Value =>
    attendBlock(decoder, queries, addDims(layout.virtualTokens, start), keys[block], values[block], window);
  const attended =
    split === undefined
      ? attend(grouped, 0, 'all')
      : g.concat(
          [
            g.slice(attend(g.slice(grouped, 3, 0, split.upper), 0, 'first'), 3, 0, split.lower),
            attend(g.slice(grouped, 3, split.lower, S), split.lower, 'all'),
          ],
          3,
        ); // [B, kv, group, S, headDim]
  return headsByRow(g, layout, attended, numHeads, headDim);
}

/** Half of a sequence's tokens, rounded down and up. */
interface Halves {
  readonly lower: Dim;
  readonly upper: Dim;
}

function halves(sequence: Dim): Halves {
  const lower = shareOf(sequence, 2);
  return { lower, upper: subtractDims(sequence, lower) };
}

/**
 * Keys or values that queries see, virtual tokens first: those of the first half, and all.
 * @param own [B, kv, S, headDim]
 * @param virtual [P, kv, headDim]
 */
function seenKeys(
  g: GraphBuilder,
  { batch, virtualTokens }: RowLayout,
  own: Value,
  virtual: Value | undefined,
  split: Halves | undefined,
): { readonly first: Value; readonly all: Value } {
  const [, numKvHeads, , headDim] = own.shape as readonly [Dim, number, Dim, number];
  const everywhere = (rows: Value): Value => g.expand(g.transpose(rows, [1, 0, 2]), [batch, numKvHeads, virtualTokens, headDim]);
  const before = virtual === undefined ? [] : [everywhere(virtual)]; // P rows a sequence: small beside the scores
  const parts = split === undefined ? [own] : g.split(own, [split.upper, split.lower], 2);
  return { first: g.concat([...before, parts[0]!], 2), all: g.concat([...before, ...parts], 2) }; // each [B, kv, *, headDim]
}

/**
 * Attention of consecutive queries, the first of which sees `before` keys and its own.
 * @param queries [B, kv, group, Q, headDim]
 * @param keys [B, kv, before + Q, headDim]
 * @param values [B, kv, before + Q, headDim]
 * @returns [B, kv, group, Q, headDim]
 */
function attendBlock(decoder: DecoderGraph, queries: Value, before: Dim, keys: Value, values: Value, window: number | null): Value {
  const { g } = decoder;
  const [B, kv, group, Q, headDim] = queries.shape as readonly [Dim, number, number, Dim, number];
  const T = addDims(before, Q);
  const rows = g.reshape(queries, [B, kv, multiplyDims(group, Q), headDim]); // [B, kv, group * Q, headDim]
  const scores = scoresOf(decoder, rows, keys); // [B, kv, group * Q, before + Q]
  const masked = g.add(g.reshape(scores, [B, kv, group, Q, T]), causalMask(g, Q, before, window)); // [B, kv, group, Q, before + Q]
  const weights = g.reshape(g.softmax(masked), [B, kv, multiplyDims(group, Q), T]); // [B, kv, group * Q, before + Q]
  return g.reshape(g.matMul(weights, values), [B, kv, group, Q, headDim]); // [B, kv, group, Q, headDim]
}
