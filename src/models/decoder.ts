/** The decoder's blocks over flat rows: the one implementation that bottom, backbone and top are spans of. */
import type { Value } from '../onnx/value.js';
import { type AttentionContext, attention, type PrefixBlock } from './attention.js';
import type { DecoderGraph } from './decoder-weights.js';
import { mlp } from './mlp.js';
import { normalize } from './norm.js';
import { rotation } from './rope.js';
import { type RowLayout, rowPositions } from './rows.js';

/** Which blocks, on what. */
export interface BlockRange {
  /** Blocks [first, end). */
  readonly first: number;
  readonly end: number;
  /** [end - first, 2, P, numKvHeads, headDim], keys after rope; absent with other adapters. */
  readonly prefix?: Value | undefined;
  /**
   * Flat indexes of the rows that are wanted, int64 [N]; absent: all. The last block computes the others' keys and values only: its output
   * projection and MLP, most of its work, run on N rows.
   */
  readonly wanted?: Value | undefined;
  /** Told of each block's own keys and values, each [R, numKvHeads * headDim]. */
  readonly onKeyValue?: AttentionContext['onKeyValue'];
}

/**
 * Blocks on flat rows.
 * @param rows [R, hiddenSize]
 * @returns [R, hiddenSize], or [N, hiddenSize] with `wanted`
 */
export function blocks(decoder: DecoderGraph, layout: RowLayout, rows: Value, range: BlockRange): Value {
  const { g } = decoder;
  const { first, end, prefix, wanted, onKeyValue } = range;
  const context = { ...attentionContext(decoder, layout), onKeyValue };
  const given = prefix === undefined ? [] : prefixBlocks(decoder, layout, prefix, end - first);
  const everyRow = (value: Value): Value => value;
  const wantedRows = (value: Value): Value => (wanted === undefined ? value : g.gather(value, wanted)); // [N, ...]
  let x = rows;
  for (let layer = first; layer < end; layer++) {
    const pick = layer === end - 1 ? wantedRows : everyRow;
    x = g.scoped(`layers.${layer}`, () => block(decoder, { ...context, pick }, layer, x, given[layer - first]));
  }
  return first === end ? wantedRows(x) : x;
}

/** x + attention(norm x), then x + mlp(norm x). */
function block(decoder: DecoderGraph, context: AttentionContext, layer: number, x: Value, prefix: PrefixBlock | undefined): Value {
  const { g } = decoder;
  const attended = g.scoped('attention', () => {
    const normed = normalize(decoder, x, decoder.block(layer, 'attentionNorm'), () => decoder.block(layer, 'attentionNormBias'));
    return g.add(context.pick(x), attention(decoder, context, layer, normed, prefix));
  });
  return g.scoped('mlp', () => {
    const normed = normalize(decoder, attended, decoder.block(layer, 'mlpNorm'), () => decoder.block(layer, 'mlpNormBias'));
    return g.add(attended, mlp(decoder, layer, normed));
  });
}

function attentionContext({ g, spec }: DecoderGraph, layout: RowLayout): Omit<AttentionContext, 'pick'> {
  if (spec.position.kind !== 'rope') return { layout };
  const positions = rowPositions(g, layout, g.dim(layout.virtualTokens));
  return { layout, rotation: rotation(g, spec.position.rope, spec.attention.headDim, positions) };
}

/** The keys and values of every block, by one Split, whose vjp is one Concat. */
function prefixBlocks({ g, spec }: DecoderGraph, layout: RowLayout, prefix: Value, count: number): readonly PrefixBlock[] {
  const { numKvHeads, headDim } = spec.attention;
  const shape = [layout.virtualTokens, numKvHeads, headDim];
  const flat = g.reshape(prefix, [2 * count, ...shape]); // [2 * layers, P, numKvHeads, headDim]
  const parts = g.split(flat, Array<number>(2 * count).fill(1), 0).map((part) => g.reshape(part, shape)); // each [P, numKvHeads, headDim]
  return Array.from({ length: count }, (_, at) => ({ key: parts[2 * at]!, value: parts[2 * at + 1]! }));
}
