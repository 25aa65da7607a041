/** Trained tensors: values by name, gradients, scaling, and the check against a method's shapes. */
import { CutlayerError } from '../../../src/errors.js';
import { normalTensor, type Random, uniformTensor } from '../../../src/tensor/random.js';
import { expectShape } from '../../../src/tensor/shape.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import type { FloatFeeds, Parameter } from './adapter.js';

/** Name and shape of a parameter. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Rows that an encoder or a projection begins with, by PEFT's name. */
export const EMBEDDING = 'embedding.weight';

/** Values by name, as a method's graph takes them. */
export function valuesOf(parameters: readonly Parameter[]): FloatFeeds {
  return Object.fromEntries(parameters.map(({ name, value }) => [name, value]));
}

/** The gradients of parameters that a step has no cotangent for. */
export function zeroGradients(parameters: readonly Parameter[]): readonly Float32Array[] {
  return parameters.map(({ value }) => new Float32Array(value.data.length));
}

/** The gradients that the vjp of a method's graph gives, as `<parameter>Cotangent`. */
export function gradientsOf(parameters: readonly Parameter[], cotangents: FloatFeeds): readonly Float32Array[] {
  return parameters.map(({ name }) => cotangents[`${name}Cotangent`]!.data);
}

/**
 * First values as torch's modules draw them: Embedding standard normal, Linear uniform within one
 * over the square root of its inputs.
 * @param bounds Bounds of parameters that are no Linear's.
 * @see torch 2.13 `nn.Linear.reset_parameters` (kaiming uniform at a = sqrt(5)),
 *   `nn.Embedding.reset_parameters`
 */
export function torchParameters(
  random: Random,
  shapes: readonly ParameterShape[],
  bounds: (name: string) => number | undefined = () => undefined,
): readonly Parameter[] {
  const inputsOf = (name: string): number => shapes.find((other) => other.name === name.replace(/bias$/, 'weight'))!.shape[1]!;
  return shapes.map(({ name, shape }) => {
    if (name === EMBEDDING) return { name, value: normalTensor(random, shape, 0, 1) };
    return { name, value: uniformTensor(random, shape, bounds(name) ?? 1 / Math.sqrt(inputsOf(name))) };
  });
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
    const found = given.find((parameter) => parameter.name === name);
    expectShape(`${what}: ${name}`, found?.value.shape ?? [], shape);
    return { name, value: found!.value };
  });
}

/** `factor` times a tensor, in float32 as the graphs do it; the tensor itself when it is 1. */
export function scaled(tensor: Tensor<'float32'>, factor: number): Tensor<'float32'> {
  if (factor === 1) return tensor;
  const single = Math.fround(factor);
  return f32(
    tensor.shape,
    tensor.data.map((value) => value * single),
  );
}
