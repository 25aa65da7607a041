/**
 * How rows that are sent differ from those that the blocks give. Each coordinate has a gain, a
 * shift and a deviation, which are learned from texts that the vendor sends itself.
 */
import type { Tensor } from '../../../src/tensor/tensor.js';

type Floats = Tensor<'float32'>;

/** Rows [N, d] of known texts, as they are sent and as they are without defence and wire. */
export interface RowPairs {
  readonly sent: Floats;
  readonly exact: Floats;
}

/** Of one coordinate. */
interface Sums {
  x: number;
  y: number;
  xx: number;
  xy: number;
  yy: number;
}

/** Far more than a row is away by its law: another token's. */
const FAR = 1.5;

export class RowLaw {
  readonly #gain: Float64Array;
  readonly #shift: Float64Array;
  readonly #deviation: Float64Array;

  /** @param least Of the deviation, relative to the rows' own size: what the wire rounds. */
  constructor(pairs: readonly RowPairs[], least: number) {
    const d = pairs[0]!.exact.shape[1]!;
    const all = Array.from({ length: d }, (): Sums => ({ x: 0, y: 0, xx: 0, xy: 0, yy: 0 }));
    let count = 0;
    for (const { sent, exact } of pairs) {
      count += exact.shape[0]!;
      for (let at = 0; at < exact.data.length; at++) add(all[at % d]!, exact.data[at]!, sent.data[at]!);
    }
    const size = Math.sqrt(all.reduce((sum, { xx }) => sum + xx, 0) / (count * d));
    this.#gain = Float64Array.from(all, ({ x, y, xx, xy }) => {
      const spread = xx - (x * x) / count;
      return spread > 0 ? (xy - (x * y) / count) / spread : 1;
    });
    this.#shift = Float64Array.from(all, ({ x, y }, i) => (y - this.#gain[i]! * x) / count);
    this.#deviation = Float64Array.from(all, ({ x, y, xx, xy, yy }, i) => {
      const [gain, shift] = [this.#gain[i]!, this.#shift[i]!];
      const squares = yy - 2 * gain * xy - 2 * shift * y + gain * gain * xx + 2 * gain * shift * x + count * shift * shift;
      return Math.sqrt(Math.max(0, squares) / count) + least * size;
    });
  }

  /** How many deviations apart, over all coordinates; about the square root of d by the law. */
  distance(sent: Float32Array, exact: Float32Array): number {
    let sum = 0;
    for (let i = 0; i < sent.length; i++) sum += ((sent[i]! - this.#gain[i]! * exact[i]! - this.#shift[i]!) / this.#deviation[i]!) ** 2;
    return Math.sqrt(sum);
  }

  /** Log likelihood, up to a constant: it falls with the distance, as that of `--row-noise`. */
  logLikelihood(distance: number): number {
    return -Math.sqrt(this.#gain.length + 1) * distance;
  }

  /** Whether noise alone makes such a distance. */
  explains(distance: number): boolean {
    return explainedBy(distance, this.#gain.length);
  }
}

/** Whether a law of `width` coordinates makes such a distance, in its deviations. */
export function explainedBy(distance: number, width: number): boolean {
  return distance <= FAR * Math.sqrt(width);
}

function add(sums: Sums, x: number, y: number): void {
  sums.x += x;
  sums.y += y;
  sums.xx += x * x;
  sums.xy += x * y;
  sums.yy += y * y;
}
