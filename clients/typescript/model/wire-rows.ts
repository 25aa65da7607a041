/**
 * How a batch's rows cross. Where the gateway takes it, padding does not: rows are packed on the
 * way up, and padded again with zeros on the way down.
 */
import { packedStarts, packRows, paddedStarts, padRows, renumbered } from '../../../src/protocol/wire/packed-rows.js';
import { concatRows } from '../../../src/tensor/floats.js';
import { packedRows } from '../../../src/tensor/sequences.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';

type Floats = Tensor<'float32'>;

/** Sequences as a step has them: the hidden states' shape, and real tokens of each sequence. */
export interface StepSequences {
  readonly batch: number;
  readonly sequence: number;
  readonly lengths: readonly number[];
}

/** What crosses of a step's rows. */
export interface WireRows {
  /** Rows of the hidden states that cross. */
  readonly count: number;
  /** The shape in which they cross. @param d the hidden size */
  shape(d: number): readonly number[];
  /** [batch, sequence, d], or [count, d]. @param padded [batch, sequence, d] */
  hiddenStates(padded: Floats): Floats;
  /** The inverse of `hiddenStates`. */
  padded(crossed: Floats): Floats;
  /** The numbers on the wire of wanted rows. @param lead rows of a soft prompt */
  positions(wanted: readonly number[], lead: number): readonly number[];
  /** All rows, a soft prompt's first, as they cross. @param padded [lead + batch * sequence, d] */
  allRows(padded: Floats, lead: number): Floats;
  /** The inverse of `allRows`. */
  allPadded(crossed: Floats, lead: number): Floats;
}

/** Whether a batch's rows cross without padding. */
export function crossPacked({ batch, sequence, lengths }: StepSequences, packedAllowed: boolean): boolean {
  // A batch that is longer than its longest text keeps its length: some ropes look at it.
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  return packedAllowed && lengths.length === batch && longest === sequence && packedRows(lengths) < batch * sequence;
}

/** @param packedAllowed `packedRows` of the model card */
export function wireRows(sequences: StepSequences, packedAllowed: boolean): WireRows {
  const { batch, sequence, lengths } = sequences;
  if (!crossPacked(sequences, packedAllowed)) {
    const same = (rows: Floats): Floats => rows;
    const shape = (d: number): readonly number[] => [batch, sequence, d];
    return {
      count: batch * sequence,
      shape,
      hiddenStates: same,
      padded: same,
      positions: (wanted) => wanted,
      allRows: same,
      allPadded: same,
    };
  }
  const packed = { lengths, sequence };
  const [from, to] = [paddedStarts(batch, sequence), packedStarts(lengths)];
  /** Leading rows as they are, and what `f` makes of the others. */
  const behind = ({ shape, data }: Floats, lead: number, f: (rows: Floats) => Floats): Floats => {
    const d = shape[1]!;
    const text = f(f32([shape[0]! - lead, d], data.subarray(lead * d)));
    const rows = f32([text.data.length / d, d], text.data);
    return lead === 0 ? rows : concatRows([f32([lead, d], data.subarray(0, lead * d)), rows]);
  };
  const count = packedRows(lengths);
  return {
    count,
    shape: (d) => [count, d],
    hiddenStates: (rows) => packRows(rows, packed),
    padded: (rows) => padRows(rows, packed),
    positions: (wanted, lead) => [...renumbered(wanted, { lead, from, to })],
    allRows: (rows, lead) => behind(rows, lead, (text) => packRows(text, packed)),
    allPadded: (rows, lead) => behind(rows, lead, (text) => padRows(text, packed)),
  };
}
