/** What the protection keeps of the tensors of a step: cells of rows, digests, sketches. */
import type { WireDType } from '../../protocol/wire/wire-dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import {
  type CheckedInputs,
  paddedPositions,
  paddedShape,
  promptRowsOf,
  sentRows,
  sequenceStarts,
  virtualTokensOf,
} from '../engine/step-inputs.js';
import { nextCell, Projection, type RandomBytes } from './projection.js';

/**
 * The share of a row's length that rounding on the wire changes, with what a client's own blocks
 * give in other batches.
 */
export const roundingOf: Readonly<Record<WireDType, number>> = { f32: 1e-5, f16: 2e-4, bf16: 2e-3, int8: 8e-3 };

const ROW_BUCKETS = 64;
const COTANGENT_BUCKETS = 64;
/** What a text begins with. */
export const START_CELL = 1;

/** One real row of a text. */
export interface TextRow {
  readonly cell: number;
  /** Shared by the rows of a walk: copy it to keep it. */
  readonly sketch: Float32Array;
  readonly norm: number;
}

/** What is kept of a training step for its Backward. */
export interface StepRows {
  readonly promptRows: number;
  /** Virtual tokens, those of a prefix among them. */
  readonly virtualTokens: number;
  /** Rows of each text, padding among them. */
  readonly sequence: number;
  /** Rows of all texts, padding among them where it was sent. */
  readonly textRows: number;
  /** The answered rows, numbered as in padded texts. */
  readonly positions: Uint32Array;
  /** Their cells; 0 for rows of a soft prompt. */
  readonly cells: Float64Array;
}

/** The cotangent of one sequence's rows. */
export interface SequenceCotangent {
  /** The cell of the last row that has a cotangent. */
  readonly cell: number;
  readonly sketch: Float32Array;
}

/** A cotangent, looked at. */
export interface CotangentSketch {
  /** Those that are not zero; a soft prompt's rows are in none. */
  readonly sequences: readonly SequenceCotangent[];
  /** Tokens that a row with a cotangent sees, of the row that sees most; 0 without any. */
  readonly mostSeen: number;
}

/** Makes sketches of rows of one width, with one secret seed. */
export class Sketches {
  readonly #rows: Projection;
  readonly #cotangents: Projection;

  constructor(width: number, random: RandomBytes) {
    this.#rows = new Projection(width, ROW_BUCKETS, random);
    this.#cotangents = new Projection(width, COTANGENT_BUCKETS, random);
  }

  /**
   * Looks at rows [n, hiddenSize] from `first` on, which come after `cell`. @returns the last cell
   */
  walk(
    values: Float32Array,
    { first, count, cell }: { first: number; count: number; cell: number },
    onRow: (row: TextRow) => void,
  ): number {
    const sketch = new Float32Array(ROW_BUCKETS);
    let last = cell;
    for (let row = first; row < first + count; row++) {
      sketch.fill(0);
      const norm = Math.sqrt(this.#rows.add(values, row, sketch));
      last = nextCell(last, sketch);
      onRow({ cell: last, sketch, norm });
    }
    return last;
  }

  /** @param onRow Called with each real row of each text. */
  step(inputs: CheckedInputs, lengths: readonly number[], onRow: (row: TextRow) => void): StepRows {
    const { hiddenStates, adapter } = inputs;
    const [batch, sequence] = paddedShape(inputs);
    const starts = sequenceStarts(inputs);
    const cells = new Float64Array(batch * sequence);
    for (let b = 0; b < batch; b++) {
      let at = b * sequence;
      this.walk(hiddenStates.data, { first: starts[b]!, count: lengths[b]!, cell: START_CELL }, (row) => {
        cells[at++] = row.cell;
        onRow(row);
      });
    }
    const virtualTokens = adapter.kind === 'none' ? 0 : virtualTokensOf(adapter.kind, adapter.value.shape);
    const promptRows = promptRowsOf(adapter);
    const rows = paddedPositions(inputs);
    const cellsOfRows = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) if (rows[i]! >= promptRows) cellsOfRows[i] = cells[rows[i]! - promptRows]!;
    return { promptRows, virtualTokens, sequence, textRows: sentRows(inputs) - promptRows, positions: rows, cells: cellsOfRows };
  }

  /** @param cotangent [positions, hiddenSize] of that step */
  cotangent({ data }: Tensor<'float32'>, { promptRows, virtualTokens, sequence, positions, cells }: StepRows): CotangentSketch {
    const sequences: SequenceCotangent[] = [];
    let [mostSeen, before] = [0, -2];
    let open: { cell: number; sketch: Float32Array } | undefined;
    for (let i = 0; i < positions.length; i++) {
      const row = positions[i]!;
      const text = row - promptRows;
      const [group, place] = text < 0 ? [-1, row] : [Math.floor(text / sequence), text % sequence];
      if (group !== before) open = undefined;
      before = group;
      const sketch: Float32Array = open?.sketch ?? new Float32Array(COTANGENT_BUCKETS);
      const squares = this.#cotangents.add(data, i, sketch, turnOf(place));
      if (squares === 0) continue;
      mostSeen = Math.max(mostSeen, text < 0 ? row + 1 : virtualTokens + place + 1);
      if (group < 0) continue;
      if (open === undefined) {
        open = { cell: 0, sketch };
        sequences.push(open);
      }
      open.cell = cells[i]!;
    }
    return { sequences, mostSeen };
  }
}

/** Spreads the places of a sequence over the buckets. */
const turnOf = (place: number): number => (Math.imul(place, 0x9e37_79b1) >>> 26) & (COTANGENT_BUCKETS - 1);
