/**
 * The rows of one step under a learned transform, and their part of what it is trained for: the
 * task's loss + strength · I. Here I bounds what one sent coordinate says of its row, in nats.
 * It is ½ log(E s² + Var(x + m)) − E log s over the step's rows, in the mean of all coordinates.
 *
 * Var counts because noise alone can be escaped: rows that grow with their noise hide nothing.
 * The bound: a Gaussian has the most entropy of its variance, and coordinates add up at most.
 */
import { createHash } from 'node:crypto';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import {
  type LearnedMap,
  type MapValues,
  mapValues,
  mapWeights,
  momentsVjp,
  type RowMoments,
  rowMoments,
  type Values,
  type WeightSums,
  zeroSums,
} from '../adapters/learned-map.js';

/** How a transform is trained. */
export interface PassTraining {
  readonly strength: number;
  /** What the step's loss counts: the sum over its label tokens, so their number. */
  readonly weight: number;
}

interface PassedRow extends RowMoments {
  readonly x: Values;
  readonly noise: Float64Array;
}

/** Sums over rows, of each coordinate. */
interface Statistics {
  readonly mean: Float64Array;
  /** E s² + Var(x + m) */
  readonly power: Float64Array;
}

export class LearnedPass {
  readonly #map: MapValues;
  readonly #training: PassTraining | undefined;
  readonly #rows: PassedRow[] = [];
  readonly #sums: WeightSums;
  #version: string | undefined;
  #statistics: Statistics | undefined;

  /** @param training Undefined: there will be no vjp. */
  constructor(map: MapValues, training?: PassTraining) {
    this.#map = map;
    this.#training = training;
    this.#sums = zeroSums(map);
  }

  /** @param map Undefined: the adapter has none. */
  static of(map: LearnedMap | undefined, training?: PassTraining): LearnedPass | undefined {
    return map === undefined ? undefined : new LearnedPass(mapValues(map), training);
  }

  /**
   * A name of the values, by which noise is drawn. To a party that has two versions of the
   * transform, their noise would cancel if it were the same.
   */
  get version(): string {
    this.#version ??= digestOf(Object.values(this.#map.weights));
    return this.#version;
  }

  /**
   * Transforms rows [rows, d] in place.
   * @param noise ε, [rows, d]
   * @returns the vjp: of all rows of the step, in any order, once every row has passed
   */
  forward(rows: Values, noise: Float64Array): ((cotangent: Values) => void) | undefined {
    const { width } = this.#map;
    const first = this.#rows.length;
    for (let at = 0; at < rows.length; at += width) {
      const row = rows.subarray(at, at + width);
      const ofRow = noise.subarray(at, at + width);
      const moments = rowMoments(this.#map, row);
      if (this.#training !== undefined) this.#rows.push({ ...moments, x: row.slice(), noise: ofRow });
      for (let j = 0; j < width; j++) row[j] = moments.mean[j]! + moments.deviation[j]! * ofRow[j]!;
    }
    if (this.#training === undefined) return undefined;
    return (cotangent) => {
      for (let at = 0; at < cotangent.length; at += width) {
        const part = cotangent.subarray(at, at + width);
        part.set(this.#back(this.#rows[first + at / width]!, part));
      }
    };
  }

  /** I of the rows that have passed. */
  bound(): number {
    const { width } = this.#map;
    const { power } = this.#ofRows();
    let sum = 0;
    for (let j = 0; j < width; j++) sum += 0.5 * Math.log(power[j]!);
    for (const { deviation } of this.#rows) for (const s of deviation) sum -= Math.log(s) / this.#rows.length;
    return sum / width;
  }

  /** Of the weights, over all rows whose vjp was taken. */
  cotangents(): Readonly<Record<string, Tensor<'float32'>>> {
    return Object.fromEntries(mapWeights.map((name) => [name, f32([this.#sums[name].length], Float32Array.from(this.#sums[name]))]));
  }

  /** The same in float64. */
  get sums(): WeightSums {
    return this.#sums;
  }

  /** The vjp of one row; κ is strength · weight / d, and M is E s² + Var(y). */
  #back({ x, mean, deviation, noise }: PassedRow, cotangent: Values): Float64Array {
    const { width } = this.#map;
    const { strength, weight } = this.#training!;
    const statistics = this.#ofRows();
    const scale = (strength * weight) / (width * this.#rows.length);
    const [ofMean, ofDeviation] = [new Float64Array(width), new Float64Array(width)];
    for (let j = 0; j < width; j++) {
      const power = statistics.power[j]!;
      // ȳ = x̄' + κ (y − E y) / (N M)
      ofMean[j] = cotangent[j]! + (scale * (mean[j]! - statistics.mean[j]!)) / power;
      // s̄ = ε x̄' + κ (s / (N M) − 1 / (N s))
      ofDeviation[j] = cotangent[j]! * noise[j]! + scale * (deviation[j]! / power - 1 / deviation[j]!);
    }
    return momentsVjp(this.#map, x, { mean: ofMean, deviation: ofDeviation }, this.#sums);
  }

  #ofRows(): Statistics {
    this.#statistics ??= statisticsOf(this.#rows, this.#map.width);
    return this.#statistics;
  }
}

function statisticsOf(rows: readonly RowMoments[], width: number): Statistics {
  const mean = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j] = mean[j]! + row.mean[j]! / rows.length;
  const power = new Float64Array(width);
  for (const row of rows)
    for (let j = 0; j < width; j++) power[j] = power[j]! + ((row.mean[j]! - mean[j]!) ** 2 + row.deviation[j]! ** 2) / rows.length;
  return { mean, power };
}

function digestOf(all: readonly Values[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of all) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
