/**
 * The bytes that a run holds beside its step: copies of inputs, intermediate values and outputs.
 * Residuals are most of it. Their size per row is measured at each run that fetches them, and taken
 * to be large before the first one.
 */
import type { Dims, SpanKind } from '../../artifacts/manifest.js';

const FLOAT_BYTES = 4;
/** What a graph holds of a row at a time, in hidden sizes: an MLP's hidden layer, and more. */
const LIVE_VALUES = 8;
/** Residuals of a row and layer before they are measured, in hidden sizes. GPT-2 has 9. */
const ASSUMED_RESIDUALS = 12;

/** Bytes of runs on one backbone. */
export class WorkSizes {
  readonly #dims: Dims;
  readonly #measured = new Map<SpanKind, number>();

  constructor(dims: Dims) {
    this.#dims = dims;
  }

  /** Counts the residuals of one run. */
  note(kind: SpanKind, residualBytes: number, rows: number): void {
    this.#measured.set(kind, residualBytes / rows);
  }

  /** Residuals of so many rows; undefined before any has been measured. */
  measured(kind: SpanKind, rows: number): number | undefined {
    const perRow = this.#measured.get(kind);
    return perRow === undefined ? undefined : perRow * rows;
  }

  /** A run that fetches residuals, or one that is fed them. */
  withResiduals(kind: SpanKind, rows: number, inputBytes: number): number {
    const { numLayers, hiddenSize } = this.#dims;
    const assumed = ASSUMED_RESIDUALS * numLayers * hiddenSize * FLOAT_BYTES * rows;
    return this.withoutResiduals(rows, inputBytes) + (this.measured(kind, rows) ?? assumed);
  }

  /** A run that neither fetches nor is fed residuals. */
  withoutResiduals(rows: number, inputBytes: number): number {
    return inputBytes + LIVE_VALUES * this.#dims.hiddenSize * FLOAT_BYTES * rows;
  }
}
