/**
 * Packed rows: sequences one after another, without padding between them. All of a decoder but
 * attention works on them. Attention needs sequences of one length, so it gathers heads by an index
 * and gathers what it gives back by the inverse one. Both cost what a transpose of the heads does.
 *
 * Where there is padding, its slots show the last row, which is no token's. Nothing that a token's
 * row computes reads that row, and it is not wanted. So its cotangent is zero in every block, and
 * the transpose of each gather is the other one.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { multiplyDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { RowLayout, RowPacking } from './rows.js';

/** Heads of rows [R or B * S, heads * headDim] by sequence: [B, heads, S, headDim]. */
export function headsBySequence(g: GraphBuilder, layout: RowLayout, rows: Value, heads: number, headDim: number): Value {
  const { batch: B, sequence: S, packing } = layout;
  if (packing === undefined) return g.transpose(g.reshape(rows, [B, S, heads, headDim]), [0, 2, 1, 3]); // [B, heads, S, headDim]
  const flat = g.reshape(rows, [multiplyDims(packing.rows, heads), headDim]); // [R * heads, headDim]
  return g.reshape(g.gather(flat, headIndices(g, layout, packing, heads).bySequence), [B, heads, S, headDim]);
}

/** The inverse of {@link headsBySequence}. */
export function headsByRow(g: GraphBuilder, layout: RowLayout, attended: Value, heads: number, headDim: number): Value {
  const { batch: B, sequence: S, packing } = layout;
  const width = heads * headDim;
  if (packing === undefined) {
    const byToken = g.transpose(g.reshape(attended, [B, heads, S, headDim]), [0, 2, 1, 3]); // [B, S, heads, headDim]
    return g.reshape(byToken, [multiplyDims(B, S), width]); // [B * S, width]
  }
  const flat = g.reshape(attended, [multiplyDims(B, heads, S), headDim]); // [B * heads * S, headDim]
  return g.reshape(g.gather(flat, headIndices(g, layout, packing, heads).byRow), [packing.rows, width]); // [R, width]
}

/** Where each head of a slot is among the rows' heads, and the inverse. */
function headIndices(
  g: GraphBuilder,
  { batch: B, sequence: S }: RowLayout,
  { rows: R, rowOfSlot, slotOfRow }: RowPacking,
  heads: number,
): { readonly bySequence: Value; readonly byRow: Value } {
  const head = g.unsqueeze(g.range(0, heads), [1]); // [heads, 1]
  const ofSlots = g.add(g.mul(g.unsqueeze(rowOfSlot, [1]), heads), head); // [B, heads, S]: row * heads + head
  const bySequence = g.reshape(ofSlots, [multiplyDims(B, heads, S)]);
  const length = g.dim(S);
  const sequence = g.div(slotOfRow, length); // [R], rounded down
  const first = g.add(slotOfRow, g.mul(g.mul(sequence, heads - 1), length)); // [R]: sequence * heads * S + s
  const ofRows = g.add(g.unsqueeze(first, [1]), g.mul(g.range(0, heads), length)); // [R, heads]: + head * S
  const byRow = g.reshape(ofRows, [multiplyDims(R, heads)]);
  g.pairIndices(bySequence, byRow);
  return { bySequence, byRow };
}
