/**
 * Attention of a graph that is never differentiated, by ONNX Runtime's kernel that goes over the
 * keys block by block. It holds no scores of all queries against all keys.
 *
 * With keys from before, the kernel takes one sequence alone. So virtual tokens come first in every
 * sequence, their keys and values among its own. A prefix has no queries, so any rows stand for
 * them, and what they get is dropped.
 */

import type { GraphBuilder } from '../onnx/builder.js';
import { addDims, type Dim, multiplyDims, subtractDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';
import type { RowLayout } from './rows.js';
import type { PrefixBlock } from './text-attention.js';

/** The kernel takes heads of a multiple of so many values. */
const HEAD_MULTIPLE = 8;

/** Whether the kernel may and can compute a graph's attention: with a cap it would hold scores. */
export function canFuse({ use, optimizations, spec: { attention } }: DecoderGraph): boolean {
  return use === 'forward' && optimizations.fusedAttention && attention.softcap === null && attention.headDim % HEAD_MULTIPLE === 0;
}

/**
 * All rows attend: a soft prompt's among themselves, the text's to the virtual tokens and to their
 * own sequence.
 * @param query [R, numHeads * headDim], the prompt's rows first
 * @param key [R, numKvHeads * headDim]
 * @param value [R, numKvHeads * headDim]
 * @returns [R, numHeads * headDim]
 */
export function attendFused(
  { g, spec }: DecoderGraph,
  layout: RowLayout,
  window: number | null,
  query: Value,
  key: Value,
  value: Value,
  prefix: PrefixBlock | undefined,
): Value {
  const { numHeads, numKvHeads, headDim, scale } = spec.attention;
  const { batch: B, sequence: S, virtualTokens: P } = layout;
  const length = addDims(P, S);
  const [width, kvWidth] = [numHeads * headDim, numKvHeads * headDim];
  const slots = slotRows(g, layout);
  const keysOf = (own: Value, virtual: Value | undefined): Value =>
    virtual === undefined
      ? g.gather(own, slots.all)
      : g.concat([g.expand(g.reshape(virtual, [1, P, kvWidth]), [B, P, kvWidth]), g.gather(own, slots.text)], 1); // [B, P + S, kvWidth]
  const size = (dim: Dim): Value => g.cast(g.dim(dim), 'int32');
  const attended = g.apply(
    'GroupQueryAttention',
    {
      query: g.gather(query, slots.all),
      key: keysOf(key, prefix?.key),
      value: keysOf(value, prefix?.value),
      seqlens_k: g.expand(size(subtractDims(length, 1)), [B]),
      total_sequence_length: size(length),
    },
    { num_heads: numHeads, kv_num_heads: numKvHeads, scale, ...(window !== null && { local_window_size: window }) },
  ); // [B, P + S, width]
  return g.gather(g.reshape(attended, [multiplyDims(B, length), width]), placesOfRows(g, layout)); // [R, width]
}

/** The row of each slot: of text [B, S], and of all, virtual tokens first [B, P + S]. */
function slotRows(
  g: GraphBuilder,
  { batch: B, sequence: S, virtualTokens: P, promptRows, packing }: RowLayout,
): { text: Value; all: Value } {
  const ofText = packing?.rowOfSlot ?? g.reshape(g.range(0, multiplyDims(B, S)), [B, S]);
  const text = promptRows === 0 ? ofText : g.add(ofText, g.dim(promptRows));
  if (P === 0) return { text, all: text };
  const virtual = promptRows === 0 ? g.fill([B, P], 0, 'int64') : g.expand(g.range(0, P), [B, P]);
  return { text, all: g.concat([virtual, text], 1) };
}

/** Where each row is among the slots of all sequences: [R]. A prompt's are those of the first. */
function placesOfRows(g: GraphBuilder, { batch: B, sequence: S, virtualTokens: P, promptRows, packing }: RowLayout): Value {
  const slots = packing?.slotOfRow ?? g.range(0, multiplyDims(B, S)); // b * S + s
  const before = g.mul(g.add(g.div(slots, g.dim(S)), 1), g.dim(P)); // (b + 1) * P
  const text = P === 0 ? slots : g.add(slots, before);
  return promptRows === 0 ? text : g.concat([g.range(0, promptRows), text], 0);
}
