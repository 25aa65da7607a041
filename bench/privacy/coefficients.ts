/**
 * Which sum of a step's answers a client has used. The vendor has computed the gradient of each
 * call, and the next step's prompt shows what the optimizer made of their sum. So there is one
 * equation for each value of the prompt, and one unknown for each call.
 */
import { dot } from '../../clients/typescript/audit/dot.js';
import { solve } from '../../clients/typescript/audit/linear-solve.js';
import type { AdamW } from '../../clients/typescript/optimizers/adamw.js';
import { mapFloats } from '../../src/tensor/floats.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';
import { combined } from './masks.js';

/** A step as a vendor sees it. */
export interface SeenStep {
  /** The prompt as it was sent in this step and in the next one, P d values. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  /** What the vendor has answered to each call, P d values each. */
  readonly gradients: readonly Float32Array[];
  readonly learningRate: number;
}

/** Keeps a sum of squares of many calls solvable: of their own sum. */
const RIDGE = 1e-14;
const ROUNDS = 20;

/** The coefficients of each step's calls, up to one factor, where the step is plain descent. */
export function coefficientsBySgd(steps: readonly SeenStep[]): readonly Float64Array[] {
  return steps.map(({ before, after, gradients }) => {
    const step = before.map((value, at) => value - after[at]!);
    const scales = gradients.map(scaleOf);
    const squares = products(gradients.map((gradient, call) => mapFloats(gradient, (value) => value * scales[call]!)));
    const right = Float64Array.from(gradients, (gradient, call) => dot(gradient, step) * scales[call]!);
    return (solve(squares, right) ?? new Float64Array(right.length)).map((value, call) => value * scales[call]!);
  });
}

type AdamWSettings = Pick<AdamW, 'beta1' | 'beta2' | 'weightDecay'>;

/** Both moments of one value before a step, bias-corrected, and what its gradient adds to them. */
interface Moments {
  readonly mean: number;
  readonly meanGain: number;
  readonly square: number;
  readonly squareGain: number;
}

/**
 * The same where the steps are AdamW's, two at least, from its first on. The first step is a sign
 * of each value. So the second one gives the ratio of both gradients, value by value. Ratios are
 * linear equations, of which the coefficients of both steps are the null vector. Later steps follow
 * from the moments, which are known by then.
 */
export function coefficientsByAdamW(steps: readonly SeenStep[], settings: AdamWSettings): readonly Float64Array[] {
  const { beta1, beta2, weightDecay } = settings;
  const updates = steps.map(({ before, after, learningRate }) =>
    Float64Array.from(before, (value, at) => ((1 - learningRate * weightDecay) * value - after[at]!) / learningRate),
  );
  const signs = updates[0]!.map(Math.sign);
  const size = signs.length;
  const momentsAt = (step: number, mean: number, square: number): Moments => ({
    ...{ mean: (beta1 * mean) / (1 - beta1 ** step), meanGain: (1 - beta1) / (1 - beta1 ** step) },
    ...{ square: (beta2 * square) / (1 - beta2 ** step), squareGain: (1 - beta2) / (1 - beta2 ** step) },
  });
  const second = [...updates[1]!].map((update, at) => gradientOf(update, momentsAt(2, (1 - beta1) * signs[at]!, 1 - beta2)));
  const both = ofTwo(steps[0]!, steps[1]!, (at) => second[at] && second[at]! * signs[at]!);
  // A null vector has no sign; the first step has.
  const way = dot(combined(steps[0]!.gradients, both[0]), Float32Array.from(signs)) < 0 ? -1 : 1;
  const found: Float64Array[] = both.map((coefficients) => coefficients.map((value) => way * value));
  const [mean, square] = [new Float64Array(size), new Float64Array(size)];
  for (const [at, { gradients }] of steps.entries()) {
    if (at > 1) {
      const wanted = mean.map((value, i) => gradientOf(updates[at]![i]!, momentsAt(at + 1, value, square[i]!)) ?? Number.NaN);
      found.push(fitted(gradients, wanted));
    }
    for (const [i, value] of combined(gradients, found[at]!).entries()) {
      mean[i] = beta1 * mean[i]! + (1 - beta1) * value;
      square[i] = beta2 * square[i]! + (1 - beta2) * value * value;
    }
  }
  return found;
}

/** The gradient after which a value changes so; undefined where two do that. */
function gradientOf(update: number, { mean, meanGain, square, squareGain }: Moments): number | undefined {
  // (mean + meanGain g)^2 = update^2 (square + squareGain g^2), on the update's side of 0
  const a = meanGain ** 2 - update ** 2 * squareGain;
  const b = 2 * mean * meanGain;
  const c = mean ** 2 - update ** 2 * square;
  const half = -(b + (b < 0 ? -1 : 1) * Math.sqrt(Math.max(0, b * b - 4 * a * c))) / 2;
  const roots = [half / a, c / half].filter((root) => Number.isFinite(root) && (mean + meanGain * root) * update >= 0);
  return roots.length === 1 ? roots[0] : undefined;
}

/** The coefficients of two steps by the ratio of the second gradient to the first, where known. */
function ofTwo(first: SeenStep, second: SeenStep, ratio: (at: number) => number | undefined): readonly [Float64Array, Float64Array] {
  const calls = [...first.gradients, ...second.gradients];
  const split = first.gradients.length;
  const scales = calls.map(scaleOf);
  const columns = calls.map((gradient, call) =>
    mapFloats(gradient, (value, at) => {
      const known = ratio(at);
      return known === undefined ? 0 : (value * scales[call]! * (call < split ? -known : 1)) / Math.hypot(1, known);
    }),
  );
  const squares = products(columns);
  let vector: Float64Array = Float64Array.from(calls, (_, at) => Math.cos(at));
  for (let round = 0; round < ROUNDS; round++) {
    const next = solve(squares.slice(), vector);
    if (next === undefined) break;
    const length = Math.hypot(...next);
    vector = next.map((value) => value / length);
  }
  vector = vector.map((value, call) => value * scales[call]!);
  return [vector.slice(0, split), vector.slice(split)];
}

/** The coefficients by the sum's values, where they are numbers. */
function fitted(gradients: readonly Float32Array[], wanted: Float64Array): Float64Array {
  const sizes = wanted.filter(Number.isFinite).map(Math.abs).sort();
  const usual = sizes[sizes.length >> 1] ?? 1;
  // Large ones have large errors.
  const weights = wanted.map((value) => (Number.isNaN(value) ? 0 : 1 / Math.hypot(usual, value)));
  const scales = gradients.map(scaleOf);
  const columns = gradients.map((gradient, call) => mapFloats(gradient, (value, at) => value * scales[call]! * usual * weights[at]!));
  const target = mapFloats(wanted, (value, at) => (weights[at] === 0 ? 0 : value * usual * weights[at]!));
  const right = Float64Array.from(columns, (column) => dot(column, target));
  return (solve(products(columns), right) ?? new Float64Array(right.length)).map((value, call) => value * scales[call]!);
}

const scaleOf = (gradient: Float32Array): number => 1 / (l2Norm([gradient]) || 1);

/** Each column times each, with a little on the diagonal: [n, n]. */
function products(columns: readonly Float32Array[]): Float64Array {
  const n = columns.length;
  const matrix = new Float64Array(n * n);
  for (let row = 0; row < n; row++)
    for (let column = 0; column <= row; column++) {
      const product = dot(columns[row]!, columns[column]!);
      matrix[row * n + column] = product;
      matrix[column * n + row] = product;
    }
  const trace = columns.reduce((sum, _, at) => sum + matrix[at * n + at]!, 0);
  for (let at = 0; at < n; at++) matrix[at * n + at] = matrix[at * n + at]! + RIDGE * trace;
  return matrix;
}
