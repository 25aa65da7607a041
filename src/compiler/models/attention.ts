/**
 * Causal self-attention over flat rows. Projections run on all rows at once. Prompt rows attend
 * among themselves, once for the batch. Text rows attend to the virtual tokens' shared keys and
 * values and to their own sequence. Query heads of a group are adjacent rows, so grouped keys and
 * values are never repeated. Padding is on the right and attention is causal, so no padding mask is
 * needed.
 */

import { type Dim, multiplyDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import { attendFused, canFuse } from './fused-attention.js';
import { causalMask, scoresOf } from './masked-scores.js';
import { normalize } from './norm.js';
import { type Rotation, rotate } from './rope.js';
import { joinRows, type RowLayout, type SplitRows, splitRows } from './rows.js';
import { attendText, leavesOutMost, type PrefixBlock } from './text-attention.js';

export interface AttentionContext {
  readonly layout: RowLayout;
  /** Present with rope. */
  readonly rotation?: Rotation;
  /** Selects the rows that go on, of [R, ...]: all, or in the last block the wanted ones. */
  readonly pick: (rows: Value) => Value;
  /** Called with each block's keys (after rope) and values, each [R, numKvHeads * headDim]. */
  readonly onKeyValue?: ((layer: number, own: PrefixBlock) => void) | undefined;
}

/**
 * Attention of one block.
 * @param x [R, hiddenSize]
 * @returns [R, hiddenSize], or what the context picks of it
 */
export function attention(decoder: DecoderGraph, context: AttentionContext, layer: number, x: Value, prefix?: PrefixBlock): Value {
  const { g, spec } = decoder;
  const { headDim, numKvHeads, outputBias, windows } = spec.attention;
  const window = windows[layer] ?? null;
  const { layout } = context;
  const { query, key, value } = project(decoder, context.rotation, layer, x);
  context.onKeyValue?.(layer, { key, value });
  const output = (attended: Value): Value => decoder.linear(context.pick(attended), layer, 'attentionOutput', outputBias);
  if (canFuse(decoder) && !leavesOutMost(decoder, window)) return output(attendFused(decoder, layout, window, query, key, value, prefix));
  const queries = splitRows(g, query, layout);
  const keys = splitRows(g, key, layout);
  const values = splitRows(g, value, layout);

  const heads = (rows: Value): Value => g.reshape(rows, [layout.virtualTokens, numKvHeads, headDim]); // [P, numKvHeads, headDim]
  const shared =
    keys.prompt !== undefined && values.prompt !== undefined ? { key: heads(keys.prompt), value: heads(values.prompt) } : prefix;
  const attended: SplitRows = {
    ...(queries.prompt !== undefined && shared !== undefined && { prompt: attendPrompt(decoder, layout, window, queries.prompt, shared) }),
    text: attendText(decoder, layout, window, queries.text, keys.text, values.text, shared),
  };
  return output(joinRows(g, attended));
}

/** What a block's rows ask for and offer, queries and keys after norm and rope. */
export interface Projections {
  /** [R, numHeads * headDim] */
  readonly query: Value;
  /** [R, numKvHeads * headDim] */
  readonly key: Value;
  /** [R, numKvHeads * headDim] */
  readonly value: Value;
}

/** Queries, keys and values of a block's rows. @param x [R, hiddenSize] */
export function project(decoder: DecoderGraph, rotation: Rotation | undefined, layer: number, x: Value): Projections {
  const { g, spec } = decoder;
  const { numHeads, numKvHeads, headDim, projections, qkvBias } = spec.attention;
  const [queryWidth, kvWidth] = [numHeads * headDim, numKvHeads * headDim];
  const linear = (role: 'qkv' | 'query' | 'key' | 'value'): Value => decoder.linear(x, layer, role, qkvBias);
  const parts =
    projections === 'fused' ? g.split(linear('qkv'), [queryWidth, kvWidth, kvWidth], 1) : [linear('query'), linear('key'), linear('value')];
  const [query, key, value] = parts as readonly [Value, Value, Value];
  const placed = (rows: Value, norm: 'queryNorm' | 'keyNorm'): Value => {
    const normed = normalizeHeads(decoder, layer, rows, norm);
    return rotation === undefined ? normed : rotate(g, normed, rotation, headDim);
  };
  return { query: placed(query, 'queryNorm'), key: placed(key, 'keyNorm'), value };
}

/**
 * Queries or keys with the spec's norm: of each head, of all heads together, or none.
 * @param x [R, heads * headDim]
 * @returns [R, heads * headDim]
 */
function normalizeHeads(decoder: DecoderGraph, layer: number, x: Value, role: 'queryNorm' | 'keyNorm'): Value {
  const { headDim, queryKeyNorm } = decoder.spec.attention;
  const [rows, width] = x.shape as readonly [Dim, number];
  switch (queryKeyNorm) {
    case 'none':
      return x;
    case 'projection':
      return normalize(decoder, x, decoder.block(layer, role));
    case 'head': {
      const heads = decoder.g.reshape(x, [rows, width / headDim, headDim]); // [R, heads, headDim]
      return decoder.g.reshape(normalize(decoder, heads, decoder.block(layer, role)), [rows, width]); // [R, heads * headDim]
    }
  }
}

/**
 * The prompt's rows attend among themselves.
 * @param query [P, numHeads * headDim]
 * @returns [P, numHeads * headDim]
 */
function attendPrompt(
  decoder: DecoderGraph,
  { promptRows: P }: RowLayout,
  window: number | null,
  query: Value,
  shared: PrefixBlock,
): Value {
  const { g, spec } = decoder;
  const { numHeads, numKvHeads, headDim } = spec.attention;
  const group = numHeads / numKvHeads;
  const grouped = g.transpose(g.reshape(query, [P, numKvHeads, group, headDim]), [1, 2, 0, 3]); // [kv, group, P, headDim]
  const rows = g.reshape(grouped, [numKvHeads, multiplyDims(group, P), headDim]); // [kv, group * P, headDim]
  const scores = scoresOf(decoder, rows, g.transpose(shared.key, [1, 0, 2])); // [kv, group * P, P]
  const masked = g.add(g.reshape(scores, [numKvHeads, group, P, P]), causalMask(g, P, 0, window)); // [kv, group, P, P]
  const weights = g.reshape(g.softmax(masked), [numKvHeads, multiplyDims(group, P), P]); // [kv, group * P, P]
  const mixed = g.matMul(weights, g.transpose(shared.value, [1, 0, 2])); // [kv, group * P, headDim]
  const byToken = g.transpose(g.reshape(mixed, [numKvHeads, group, P, headDim]), [2, 0, 1, 3]); // [P, kv, group, headDim]
  return g.reshape(byToken, [P, numHeads * headDim]); // [P, numHeads * headDim]
}
