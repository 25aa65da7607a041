/** Compares a vjp with central differences, through ONNX Runtime. */
import { vjpRules } from '../../src/compiler/autodiff/rules.js';
import { vjp } from '../../src/compiler/autodiff/vjp.js';
import type { VjpRules } from '../../src/compiler/autodiff/vjp-rules.js';
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import type { OpName } from '../../src/compiler/onnx/op-signatures.js';
import type { Value } from '../../src/compiler/onnx/value.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { seeded, uniform } from './random.js';
import { type LoadedGraph, load } from './session.js';

type Real = 'float32' | 'float64';

/** One differentiable input of a case, filled with uniform numbers in [low, high). */
export interface CheckedInput {
  readonly shape: readonly number[];
  readonly low?: number;
  readonly high?: number;
}

/** A function whose gradient with respect to every input is checked. */
export interface GradientCase {
  readonly title: string;
  readonly inputs: readonly CheckedInput[];
  readonly outputs: (g: GraphBuilder, ...inputs: readonly Value[]) => Value | readonly Value[];
  /** `float32` only for ops without float64 kernels. */
  readonly dtype?: Real;
}

/** A loaded case: the function, its vjp, and the cells that the vjp called, as `Op.input`. */
export interface CheckedGradient {
  readonly cells: ReadonlySet<string>;
  /** The relative error of each input's gradient in a random direction. */
  readonly errors: (seed: number) => Promise<readonly number[]>;
  /** The gradients for given cotangents, from the same point. */
  readonly gradients: (cotangents: readonly Tensor<Real>[], seed: number) => Promise<readonly Tensor[]>;
  readonly randomCotangents: (random: () => number) => readonly Tensor<Real>[];
  readonly release: () => Promise<void>;
}

const STEP: Readonly<Record<Real, number>> = { float64: 1e-5, float32: 1e-2 };

/** Builds and loads a case. */
export async function checkGradient({ inputs, outputs, dtype = 'float64' }: GradientCase): Promise<CheckedGradient> {
  const g = new GraphBuilder();
  const xs = inputs.map(({ shape }, at) => g.input(`x${at}`, dtype, shape));
  const made = outputs(g, ...xs);
  const ys: readonly Value[] = 'dtype' in made ? [made] : made;
  const cotangents = ys.map((y, at) => g.input(`ct${at}`, dtype, y.shape));
  const cells = new Set<string>();
  const grads = vjp(g, { outputs: ys, cotangents, wrt: xs, rules: recordCells(cells) });
  const named = { ...record('y', ys), ...record('grad', grads) };
  const loaded: LoadedGraph = await load(g.build({ outputs: named, inputs: [...xs, ...cotangents] }));

  const point = (seed: number) => inputs.map(({ shape, low, high }, at) => uniform(dtype, shape, seeded(seed + at), low, high));
  const randomCotangents = (random: () => number) => ys.map(({ shape }) => uniform(dtype, shape.map(Number), random));
  const run = (at: readonly Tensor[], cts: readonly Tensor[]) => loaded.run({ ...record('x', at), ...record('ct', cts) });
  const value = async (at: readonly Tensor[], cts: readonly Tensor[]): Promise<number> => {
    const results = await run(at, cts);
    return cts.reduce((sum, ct, k) => sum + dot(ct, results[`y${k}`]!), 0);
  };

  const errors = async (seed: number): Promise<readonly number[]> => {
    const x = point(seed);
    const cts = randomCotangents(seeded(seed + 100));
    const results = await run(x, cts);
    const found: number[] = [];
    for (const [at, { shape }] of inputs.entries()) {
      const direction = uniform(dtype, shape, seeded(seed + 200 + at));
      const moved = (by: number) => x.map((tensor, k) => (k === at ? addScaled(tensor, by, direction) : tensor));
      const numeric = ((await value(moved(STEP[dtype]), cts)) - (await value(moved(-STEP[dtype]), cts))) / (2 * STEP[dtype]);
      const analytic = dot(direction, results[`grad${at}`]!);
      found.push(Math.abs(numeric - analytic) / Math.max(Math.abs(numeric), Math.abs(analytic), 1e-9));
    }
    return found;
  };
  const gradients = async (cts: readonly Tensor<Real>[], seed: number): Promise<readonly Tensor[]> => {
    const results = await run(point(seed), cts);
    return inputs.map((_, at) => results[`grad${at}`]!);
  };
  return { cells, errors, gradients, randomCotangents, release: loaded.release };
}

/** The rule table, noting each cell that is called. */
export function recordCells(cells: Set<string>): VjpRules {
  type AnyCell = (context: object) => unknown;
  const watched = Object.entries(vjpRules).map(([op, rule]) => [
    op,
    Object.fromEntries(
      Object.entries(rule as Readonly<Record<string, AnyCell>>).map(([input, cell]) => [
        input,
        (context: object) => {
          cells.add(`${op}.${input}`);
          return cell(context);
        },
      ]),
    ),
  ]);
  // Every cell of the table is wrapped without changing its type.
  return Object.fromEntries(watched) as VjpRules;
}

/** The cells of one op's rule, as `Op.input`. */
export function cellsOf(op: OpName): readonly string[] {
  return Object.keys(vjpRules[op]).map((input) => `${op}.${input}`);
}

/** a + scale * b, in a's type. */
export function addScaled<T extends Real>(a: Tensor<T>, scale: number, b: Tensor<T>): Tensor<T> {
  const sum = Array.from(a.data, (x, at) => Number(x) + scale * Number(b.data[at]));
  return tensor<Real>(a.dtype, a.shape, a.dtype === 'float32' ? Float32Array.from(sum) : Float64Array.from(sum)) as Tensor<T>;
}

/** The sum of products of two tensors' elements. */
export function dot(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) sum += Number(a.data[at]) * Number(b.data[at]);
  return sum;
}

function record<T>(prefix: string, values: readonly T[]): Record<string, T> {
  return Object.fromEntries(values.map((value, at) => [`${prefix}${at}`, value]));
}
