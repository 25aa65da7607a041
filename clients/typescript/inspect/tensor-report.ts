/** Shapes and norms of the tensors of a safetensors file. */
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { RowNorms } from '../../../src/tensor/row-norms.js';
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
      const summary = new NormSummary();
      const norms = new RowNorms(shape.at(-1) ?? 1, (norm) => summary.add(norm));
      for await (const chunk of file.chunks(name)) norms.add(chunk);
      const { nonFinite } = norms;
      reports.push({ name, dtype, shape, parameters: elementCount(shape), rowNorms: summary.result(), nonFinite });
    }
    return reports;
  } finally {
    await file.close();
  }
}

/** Sums up the norms of rows. */
class NormSummary {
  #rows = 0;
  #total = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;

  add(norm: number): void {
    this.#rows += 1;
    this.#total += norm;
    this.#min = Math.min(this.#min, norm);
    this.#max = Math.max(this.#max, norm);
  }

  result(): TensorReport['rowNorms'] {
    const [mean, min] = this.#rows === 0 ? [0, 0] : [this.#total / this.#rows, this.#min];
    return { mean, min, max: this.#max };
  }
}
