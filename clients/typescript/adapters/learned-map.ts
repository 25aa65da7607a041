/**
 * The learned transform of rows, x' = x + m(x) + s(x) ε, and its vjp. With u = x / unit:
 * m = unit · U (D u), and s = unit · softplus(GAIN · (U' (D' u) + b)). U and D have low rank.
 * Written out in plain loops: all of it is computed in float64, of float32 or float64 values.
 * @see Stained Glass Transform, arXiv:2506.09452 (a learned mean and deviation of each row)
 */
import { CutlayerError } from '../../../src/errors.js';
import { normalTensor, type Random } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';

/** Rows or weights: float64 in tests of derivatives. */
export type Values = Float32Array | Float64Array;

/** The trained tensors, in a fixed order. */
export const mapWeights = ['meanDown', 'meanUp', 'deviationDown', 'deviationUp', 'deviationBias'] as const;

/** One of {@link mapWeights}. */
export type MapWeight = (typeof mapWeights)[number];

/** The transform of one model. @param unit Deviation of coordinates of rows without it. */
export interface LearnedMap {
  readonly unit: number;
  /** Downs [rank, d], ups [d, rank], the bias [d]. */
  readonly weights: Readonly<Record<MapWeight, Tensor<'float32'>>>;
}

/** The same as plain numbers. */
export interface MapValues {
  readonly unit: number;
  /** d */
  readonly width: number;
  readonly rank: number;
  readonly weights: Readonly<Record<MapWeight, Values>>;
}

/** Rank of both maps. */
const RANK = 8;
/** So that one step of AdamW moves the deviation as much as the task's own weights move rows. */
const GAIN = 10;
/** Of the bias at first: a deviation of 0.31 units. */
const FIRST_BIAS = -0.1;

/** One that leaves rows as they are, but for noise of a third of their size. */
export function firstMap(hiddenSize: number, unit: number, random: Random): LearnedMap {
  const down = () => normalTensor(random, [RANK, hiddenSize], 0, 1 / Math.sqrt(hiddenSize));
  const up = () => f32([hiddenSize, RANK], new Float32Array(hiddenSize * RANK));
  const deviationBias = f32([hiddenSize], new Float32Array(hiddenSize).fill(FIRST_BIAS));
  return { unit: Math.fround(unit), weights: { meanDown: down(), meanUp: up(), deviationDown: down(), deviationUp: up(), deviationBias } };
}

/** @param where For messages @throws CutlayerError INVALID_ADAPTER for other shapes */
export function checkMap(where: string, { unit, weights }: LearnedMap, hiddenSize: number): void {
  if (!(unit > 0 && unit < Infinity)) throw new CutlayerError('INVALID_ADAPTER', `${where}: unit: expected a number above 0, got ${unit}`);
  const rank = weights.meanDown.shape[0]!;
  const [down, up] = [
    [rank, hiddenSize],
    [hiddenSize, rank],
  ];
  const shapes = { meanDown: down, meanUp: up, deviationDown: down, deviationUp: up, deviationBias: [hiddenSize] };
  for (const name of mapWeights) expectShape(`${where}: ${name}`, weights[name].shape, shapes[name], { code: 'INVALID_ADAPTER' });
}

export function mapValues({ unit, weights }: LearnedMap): MapValues {
  const [rank, width] = weights.meanDown.shape as [number, number];
  const entries = mapWeights.map((name) => [name, weights[name].data] as const);
  return { unit, width, rank, weights: Object.fromEntries(entries) as Record<MapWeight, Values> }; // of all names
}

/** What a row becomes: the middle of x' and its deviation, [d] each. */
export interface RowMoments {
  /** x + m(x) */
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** @param x [d] */
export function rowMoments(map: MapValues, x: Values): RowMoments {
  const { unit, width, rank, weights } = map;
  const [a, c] = [down(weights.meanDown, x, map), down(weights.deviationDown, x, map)];
  const [mean, deviation] = [new Float64Array(width), new Float64Array(width)];
  for (let j = 0; j < width; j++) {
    mean[j] = x[j]! + unit * along(weights.meanUp, j * rank, a);
    deviation[j] = unit * softplus(GAIN * (along(weights.deviationUp, j * rank, c) + weights.deviationBias[j]!));
  }
  return { mean, deviation };
}

/** Cotangents of the weights, added up over rows. */
export type WeightSums = Readonly<Record<MapWeight, Float64Array>>;

export function zeroSums({ weights }: MapValues): WeightSums {
  return Object.fromEntries(mapWeights.map((name) => [name, new Float64Array(weights[name].length)])) as WeightSums; // of all names
}

/** Cotangents of {@link RowMoments}. */
export interface MomentCotangents {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/**
 * The vjp of {@link rowMoments}. Adds to `sums`.
 * @returns x̄ = ȳ + Dᵀ Uᵀ ȳ + D'ᵀ U'ᵀ (GAIN · softplus' · s̄), [d]
 */
export function momentsVjp(map: MapValues, x: Values, { mean, deviation }: MomentCotangents, sums: WeightSums): Float64Array {
  const { unit, width, rank, weights } = map;
  const [a, c] = [down(weights.meanDown, x, map), down(weights.deviationDown, x, map)];
  const [ofA, ofC] = [new Float64Array(rank), new Float64Array(rank)];
  for (let j = 0; j < width; j++) {
    const inner = along(weights.deviationUp, j * rank, c) + weights.deviationBias[j]!;
    const ofMean = unit * mean[j]!;
    const ofInner = unit * GAIN * sigmoid(GAIN * inner) * deviation[j]!;
    for (let k = 0; k < rank; k++) {
      const at = j * rank + k;
      sums.meanUp[at] = sums.meanUp[at]! + ofMean * a[k]!;
      sums.deviationUp[at] = sums.deviationUp[at]! + ofInner * c[k]!;
      ofA[k] = ofA[k]! + ofMean * weights.meanUp[at]!;
      ofC[k] = ofC[k]! + ofInner * weights.deviationUp[at]!;
    }
    sums.deviationBias[j] = sums.deviationBias[j]! + ofInner;
  }
  const ofX = mean.slice();
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < width; i++) {
      const at = k * width + i;
      sums.meanDown[at] = sums.meanDown[at]! + (ofA[k]! * x[i]!) / unit;
      sums.deviationDown[at] = sums.deviationDown[at]! + (ofC[k]! * x[i]!) / unit;
      ofX[i] = ofX[i]! + (ofA[k]! * weights.meanDown[at]! + ofC[k]! * weights.deviationDown[at]!) / unit;
    }
  }
  return ofX;
}

/** D u: [rank] */
function down(weights: Values, x: Values, { unit, width, rank }: MapValues): Float64Array {
  const result = new Float64Array(rank);
  for (let k = 0; k < rank; k++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += weights[k * width + i]! * x[i]!;
    result[k] = sum / unit;
  }
  return result;
}

function along(weights: Values, from: number, vector: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < vector.length; k++) sum += weights[from + k]! * vector[k]!;
  return sum;
}

const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));
