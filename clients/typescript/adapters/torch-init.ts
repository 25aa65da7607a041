/**
 * First values as torch's modules draw them, which PEFT's encoders begin with: Linear and LSTM uniform within one over the square root of what
 * goes in, Embedding standard normal.
 * @see torch 2.13 `nn.Linear.reset_parameters` (kaiming uniform at a = sqrt(5)), `nn.RNNBase.reset_parameters`, `nn.Embedding.reset_parameters`
 */
import { CutlayerError } from '../../../src/errors.js';
import type { Random } from '../../../src/tensor/random.js';
import { elementCount, f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { Parameter } from './adapter.js';

/** A parameter that is to be. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Uniform in [-bound, bound). */
export function uniformTensor(random: Random, shape: readonly number[], bound: number): Tensor<'float32'> {
  return f32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => bound * (2 * random.next() - 1)),
  );
}

/** Normal with a mean and a spread. */
export function normalTensor(random: Random, shape: readonly number[], mean: number, std: number): Tensor<'float32'> {
  return f32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => mean + std * random.normal()),
  );
}

/** 1 / sqrt(in) of each Linear among some parameters: of `x.weight` [out, in] and of its `x.bias`. */
export function linearBounds(shapes: readonly ParameterShape[]): ReadonlyMap<string, number> {
  const bounds = new Map<string, number>();
  for (const { name, shape } of shapes) {
    if (!name.endsWith('.weight') || shape.length !== 2) continue;
    bounds.set(name, 1 / Math.sqrt(shape[1]!)).set(name.replace(/weight$/, 'bias'), 1 / Math.sqrt(shape[1]!));
  }
  return bounds;
}

/**
 * Checks that parameters are exactly those wanted, and puts them in that order.
 * @param what the method, for messages.
 * @throws CutlayerError INVALID_SHAPE
 */
export function checkParameters(what: string, wanted: readonly ParameterShape[], given: readonly Parameter[]): readonly Parameter[] {
  const extra = given.find(({ name }) => !wanted.some((shape) => shape.name === name));
  if (extra !== undefined || given.length !== wanted.length) {
    const names = wanted.map(({ name }) => name).join(', ');
    throw new CutlayerError('INVALID_SHAPE', `${what}: expected the parameters ${names}, got ${given.map(({ name }) => name).join(', ')}`);
  }
  return wanted.map(({ name, shape }) => {
    const value = given.find((parameter) => parameter.name === name)?.value;
    const fits =
      value !== undefined && value.shape.length === shape.length && shape.every((dim, axis) => dim >= 1 && dim === value.shape[axis]);
    if (fits) return { name, value };
    throw new CutlayerError('INVALID_SHAPE', `${what}: ${name}: expected [${shape.join(', ')}], got [${value?.shape.join(', ') ?? ''}]`);
  });
}
