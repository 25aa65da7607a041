/**
 * The exact law of rows under a learned transform, for an attacker that has its values. A row x is
 * sent as a Gaussian around x + m(x) of deviation s(x), and as the wire rounds it.
 */
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import { type LearnedMap, type MapValues, mapValues, rowMoments } from '../adapters/learned-map.js';
import { solve } from './linear-solve.js';
import { explainedBy } from './row-law.js';
import { matches } from './wire-matches.js';

/** How a row fits. */
export interface JudgedRow {
  /** In deviations, over all coordinates; about the square root of d by the law. */
  readonly distance: number;
  /** Up to a constant. */
  readonly logLikelihood: number;
}

/** Rows that one candidate may be sent as. */
export interface SentLaw {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** Sum of the logarithms of all deviations. */
  readonly logDeviations: number;
}

export class RowChannel {
  readonly #map: MapValues;
  readonly #rounding: number;

  constructor(map: LearnedMap, wire: WireDType) {
    this.#map = mapValues(map);
    this.#rounding = matches[wire] * map.unit;
  }

  /** @param clean [d] @param position [d], that is added to it before the transform */
  lawOf(clean: Float32Array, position?: Float32Array): SentLaw {
    const { mean, deviation } = rowMoments(this.#map, position === undefined ? clean : clean.map((value, i) => value + position[i]!));
    const variance = deviation.map((s) => s * s + this.#rounding ** 2);
    return { mean, variance, logDeviations: variance.reduce((sum, value) => sum + 0.5 * Math.log(value), 0) };
  }

  /** @param sent [d] */
  judge(sent: Float32Array, { mean, variance, logDeviations }: SentLaw): JudgedRow {
    let squares = 0;
    for (let i = 0; i < sent.length; i++) squares += (sent[i]! - mean[i]!) ** 2 / variance[i]!;
    return { distance: Math.sqrt(squares), logLikelihood: -0.5 * squares - logDeviations };
  }

  /** Whether noise alone makes such a distance. */
  explains(distance: number): boolean {
    return explainedBy(distance, this.#map.width);
  }

  /**
   * The x whose x + m(x) is a sent row y: y - U (I + D U)^-1 D y. Where there is none, y itself.
   */
  unshifted(sent: Float32Array): Float32Array {
    const { rank, width, weights } = this.#map;
    const matrix = new Float64Array(rank * rank);
    const right = new Float64Array(rank);
    for (let k = 0; k < rank; k++) {
      matrix[k * rank + k] = 1;
      for (let i = 0; i < width; i++) {
        const down = weights.meanDown[k * width + i]!;
        right[k] = right[k]! + down * sent[i]!;
        for (let l = 0; l < rank; l++) matrix[k * rank + l] = matrix[k * rank + l]! + down * weights.meanUp[i * rank + l]!;
      }
    }
    const inner = solve(matrix, right);
    if (inner === undefined) return sent;
    return sent.map((value, i) => value - inner.reduce((sum, part, k) => sum + weights.meanUp[i * rank + k]! * part, 0));
  }
}
