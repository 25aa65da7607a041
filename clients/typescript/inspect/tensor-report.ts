/** Shapes and norms of the tensors of a safetensors file. */
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { elementCount } from '../../../src/tensor/tensor.js';

/** A tensor of an adapter's file. */
export interface TensorReport {
  readonly name: string;
  /** In the file. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly parameters: number;
  /** Euclidean norms of the rows along the last axis. */
  readonly rowNorms: { readonly mean: number; readonly min: number; readonly max: number };
  /** NaN and infinite elements: 0 in a sound adapter. */
  readonly nonFinite: number;
}

/** Reports every tensor of a file of any size. Norms skip elements that are not finite. */
export async function tensorReports(path: string): Promise<readonly TensorReport[]> {
  const file = await openSafetensors(path);
  try {
    const reports: TensorReport[] = [];
    for (const [name, { shape, dtype }] of file.tensors) {
      const norms = new RowNorms(shape.at(-1) ?? 1);
      for await (const chunk of file.chunks(name)) norms.add(chunk);
      reports.push({ name, dtype, shape, parameters: elementCount(shape), ...norms.result() });
    }
    return reports;
  } finally {
    await file.close();
  }
}

/** Norms of rows that come in pieces. */
class RowNorms {
  readonly #width: number;
  #column = 0;
  #square = 0;
  #rows = 0;
  #total = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  #nonFinite = 0;

  constructor(width: number) {
    this.#width = width;
  }

  add(values: Float32Array): void {
    for (const value of values) {
      if (Number.isFinite(value)) this.#square += value * value;
      else this.#nonFinite += 1;
      this.#column += 1;
      if (this.#column === this.#width) this.#endRow();
    }
  }

  result(): Pick<TensorReport, 'rowNorms' | 'nonFinite'> {
    const [mean, min] = this.#rows === 0 ? [0, 0] : [this.#total / this.#rows, this.#min];
    return { rowNorms: { mean, min, max: this.#max }, nonFinite: this.#nonFinite };
  }

  #endRow(): void {
    const norm = Math.sqrt(this.#square);
    this.#rows += 1;
    this.#total += norm;
    this.#min = Math.min(this.#min, norm);
    this.#max = Math.max(this.#max, norm);
    this.#column = 0;
    this.#square = 0;
  }
}
