/**
 * Flat rows: all of a decoder but attention works on one matrix [R, d], R = P + B * S. Its first P
 * rows are the soft prompt's, and row P + b * S + s is token s of sequence b. Packed rows
 * (row-packing.ts) leave padding out. Virtual tokens come first and attention is causal. So the
 * prompt's rows never depend on text and are computed once for the batch.
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { type Dim, multiplyDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';

/** Where packed rows are in sequences of one length. */
export interface RowPacking {
  /** Packed rows: R. */
  readonly rows: Dim;
  /** int64 [B, S]: the row of each token; of padding, the last row. */
  readonly rowOfSlot: Value;
  /** int64 [R]: b * S + s of each row; of a last row that is no token's, any slot of padding. */
  readonly slotOfRow: Value;
}

/** The numbers of rows, sequences and virtual tokens. */
export interface RowLayout {
  /** B */
  readonly batch: Dim;
  /** S, padding included. */
  readonly sequence: Dim;
  /** Virtual tokens before each sequence, as rows or as a prefix's keys and values: P, or 0. */
  readonly virtualTokens: Dim;
  /** Rows of virtual tokens: P with a soft prompt, else 0. */
  readonly promptRows: Dim;
  /** Where the text's rows have no padding between them. */
  readonly packing?: RowPacking | undefined;
}

/** B * S, or as many as are packed. */
export function textRows({ batch, sequence, packing }: RowLayout): Dim {
  return packing?.rows ?? multiplyDims(batch, sequence);
}

/** The prompt's rows [P, ...] (absent without one) and the text's, packed or [B * S, ...]. */
export interface SplitRows {
  readonly prompt?: Value;
  readonly text: Value;
}

export function splitRows(g: GraphBuilder, rows: Value, layout: RowLayout): SplitRows {
  if (layout.promptRows === 0) return { text: rows };
  const [prompt, text] = g.split(rows, [layout.promptRows, textRows(layout)], 0);
  return { prompt: prompt!, text: text! };
}

/** The inverse of {@link splitRows}. */
export function joinRows(g: GraphBuilder, { prompt, text }: SplitRows): Value {
  return prompt === undefined ? text : g.concat([prompt, text], 0);
}

/**
 * The position id of every row: 0..P-1 for the prompt's, P + s for token s.
 * @param virtualTokens P as an int64 scalar.
 * @returns int64 [R]
 */
export function rowPositions(g: GraphBuilder, layout: RowLayout, virtualTokens: Value): Value {
  const { batch, sequence, promptRows, packing } = layout;
  const ofSequence = g.add(g.range(0, sequence), virtualTokens); // [S]
  const ofSlots = g.reshape(g.expand(ofSequence, [batch, sequence]), [multiplyDims(batch, sequence)]); // [B * S]
  const text = packing === undefined ? ofSlots : g.gather(ofSlots, packing.slotOfRow);
  return promptRows === 0 ? text : g.concat([g.range(0, promptRows), text], 0);
}
