/** Euclidean lengths of rows that come in pieces of any size. */
export class RowNorms {
  readonly #width: number;
  readonly #onRow: (norm: number) => void;
  #column = 0;
  #square = 0;
  #nonFinite = 0;

  /**
   * @param width values of a row
   * @param onRow called with the length of each whole row; values that are not finite are left out
   */
  constructor(width: number, onRow: (norm: number) => void) {
    this.#width = width;
    this.#onRow = onRow;
  }

  /** NaN and infinite values so far. */
  get nonFinite(): number {
    return this.#nonFinite;
  }

  add(values: Float32Array): void {
    for (const value of values) {
      if (Number.isFinite(value)) this.#square += value * value;
      else this.#nonFinite += 1;
      this.#column += 1;
      if (this.#column === this.#width) this.#endRow();
    }
  }

  #endRow(): void {
    this.#onRow(Math.sqrt(this.#square));
    this.#column = 0;
    this.#square = 0;
  }
}
