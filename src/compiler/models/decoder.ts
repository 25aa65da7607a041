/** The decoder's blocks over flat rows: the one implementation of bottom, backbone and top. */
import { addDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import { type AttentionContext, attention } from './attention.js';
import type { DecoderGraph } from './decoder-weights.js';
import { mlp } from './mlp.js';
import { normalize } from './norm.js';
import { rotation } from './rope.js';
import { type RowLayout, rowPositions } from './rows.js';
import type { DecoderSpec, RopeSpec } from './spec.js';
import type { PrefixBlock } from './text-attention.js';

/** Which blocks run, and on which adapter and rows. */
export interface BlockRange {
  /** Blocks [first, end). */
  readonly first: number;
  readonly end: number;
  /** [end - first, 2, P, numKvHeads, headDim], keys after rope; absent with other adapters. */
  readonly prefix?: Value | undefined;
  /**
   * Flat indexes of the wanted rows, int64 [N]; absent: all. For other rows the last block computes
   * keys and values only. Its output projection and MLP, most of its work, run on N rows.
   */
  readonly wanted?: Value | undefined;
  /** Called with each block's own keys and values, each [R, numKvHeads * headDim]. */
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
  const given = prefix === undefined ? [] : prefixBlocks(decoder, layout, prefix, end - first);
  const everyRow = (value: Value): Value => value;
  const wantedRows = (value: Value): Value => (wanted === undefined ? value : g.gather(value, wanted)); // [N, ...]
  let x = rows;
  for (let layer = first; layer < end; layer++) {
    const pick = layer === end - 1 ? wantedRows : everyRow;
    const context = { layout, pick, onKeyValue, ...blockRotation(decoder, layout, layer) };
    const attend = (normed: Value): Value => attention(decoder, context, layer, normed, given[layer - first]);
    x = block(decoder, layer, x, attend, pick);
  }
  return first === end ? wantedRows(x) : x;
}

/**
 * One block: x + after(attend(before x)), then x + after(mlp(before x)), with the spec's norms.
 * @param attend attention of the block. @param pick selects the rows that go on
 */
export function block(
  decoder: DecoderGraph,
  layer: number,
  x: Value,
  attend: (normed: Value) => Value,
  pick: AttentionContext['pick'] = (rows) => rows,
): Value {
  const { g } = decoder;
  const norm = normsOf(decoder, layer);
  return g.scoped(`layers.${layer}`, () => {
    const attended = g.scoped('attention', () => addBranch(decoder, pick(x), norm.after('attention', attend(norm.before('attention', x)))));
    return g.scoped('mlp', () => addBranch(decoder, attended, norm.after('mlp', mlp(decoder, layer, norm.before('mlp', attended)))));
  });
}

type NormOfSublayer = (sublayer: 'attention' | 'mlp', x: Value) => Value;

/** The norms that a block has; the identity where it has none. */
function normsOf(decoder: DecoderGraph, layer: number): { readonly before: NormOfSublayer; readonly after: NormOfSublayer } {
  const { placement } = decoder.spec.norm;
  const norm =
    (where: 'Norm' | 'PostNorm'): NormOfSublayer =>
    (sublayer, x) =>
      normalize(decoder, x, decoder.block(layer, `${sublayer}${where}`), () => decoder.block(layer, `${sublayer}${where}Bias`));
  const none: NormOfSublayer = (_, x) => x;
  return { before: placement === 'after' ? none : norm('Norm'), after: placement === 'before' ? none : norm('PostNorm') };
}

/** The residual stream with a sublayer's output added. */
function addBranch({ g, spec: { residualScale } }: DecoderGraph, stream: Value, branch: Value): Value {
  return g.add(stream, residualScale === 1 ? branch : g.mul(branch, residualScale));
}

/** The rotation of a block's queries and keys. Blocks with the same rope share its nodes. */
function blockRotation({ g, spec }: DecoderGraph, layout: RowLayout, layer: number): Pick<AttentionContext, 'rotation'> {
  const found = ropeOfBlock(spec, layer);
  if (found === undefined) return {};
  const positions = rowPositions(g, layout, g.dim(layout.virtualTokens));
  const length = addDims(layout.virtualTokens, layout.sequence);
  return { rotation: rotation(g, found.rope, found.rotaryDim, positions, length) };
}

/** The rope of a block and how many values of a head it turns; absent without rope. */
export function ropeOfBlock(
  { position, attention }: DecoderSpec,
  layer: number,
): { readonly rope: RopeSpec; readonly rotaryDim: number } | undefined {
  if (position.kind !== 'rope') return undefined;
  const rope = attention.windows[layer] == null ? position.rope : (position.windowRope ?? position.rope);
  return { rope, rotaryDim: position.rotaryDim };
}

/** The keys and values of every block, by one Split, whose vjp is one Concat. */
function prefixBlocks({ g, spec }: DecoderGraph, layout: RowLayout, prefix: Value, count: number): readonly PrefixBlock[] {
  const { numKvHeads, headDim } = spec.attention;
  const shape = [layout.virtualTokens, numKvHeads, headDim];
  const flat = g.reshape(prefix, [2 * count, ...shape]); // [2 * layers, P, numKvHeads, headDim]
  const parts = g.split(flat, Array<number>(2 * count).fill(1), 0).map((part) => g.reshape(part, shape)); // each [P, numKvHeads, headDim]
  return Array.from({ length: count }, (_, at) => ({ key: parts[2 * at]!, value: parts[2 * at + 1]! }));
}
