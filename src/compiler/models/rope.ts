/**
 * Rotary position embedding in float32, as transformers computes it: angle = position * inverse
 * frequency. The two halves of a head's rotated part form the pairs ("rotate half").
 * @see arXiv:2104.09864
 */

import { f32 } from '../../tensor/tensor.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { type Dim, divideDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import { attentionFactor, frequencyExponents, inverseFrequencies, longFrequencies } from './rope-frequencies.js';
import type { RopeSpec } from './spec.js';

/** Cosine and sine of every row's angles, each [R, 1, rotaryDim / 2]. */
export interface Rotation {
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * The rotation of every row.
 * @param rotaryDim how many of a head's values are rotated
 * @param positions int64 [R]
 * @param length P + S, virtual tokens and padding included; some scalings depend on it. Or int64
 *   [R]: that of each row's own sequence
 */
export function rotation(g: GraphBuilder, rope: RopeSpec, rotaryDim: number, positions: Value, length: Dim | Value): Rotation {
  return g.scoped('rope', () => {
    const angles = g.mul(g.unsqueeze(g.cast(positions, 'float32'), [1, 2]), frequencies(g, rope, rotaryDim, length)); // [R, 1, rotaryDim / 2]
    const factor = attentionFactor(rope);
    const scaled = (value: Value): Value => (factor === 1 ? value : g.mul(value, factor));
    return { cos: scaled(g.cos(angles)), sin: scaled(g.sin(angles)) };
  });
}

/** The inverse frequencies at this length, [1, 1, rotaryDim / 2], or [R, 1, rotaryDim / 2]. */
function frequencies(g: GraphBuilder, rope: RopeSpec, rotaryDim: number, length: Dim | Value): Value {
  const row = (values: Float32Array): Value => g.constant(f32([1, 1, rotaryDim / 2], values));
  const lengths = (): Value => (typeof length === 'object' && 'node' in length ? g.unsqueeze(length, [1, 2]) : g.dim(length)); // [R, 1, 1] or []
  const longerThan = (limit: number): Value => g.less(g.scalar(limit, 'int64'), lengths());
  const usual = row(inverseFrequencies(rope, rotaryDim));
  switch (rope.scaling) {
    case 'longrope':
      return g.where(longerThan(rope.originalMaxPositions), row(longFrequencies(rope, rotaryDim)), usual);
    case 'dynamic': {
      // base = theta (factor L / trained - (factor - 1)) ^ (dim / (dim - 2))
      // frequencies 1 / base ^ (2i / dim)
      const { theta, factor, trainedPositions } = rope;
      const growth = g.sub(g.div(g.mul(g.cast(lengths(), 'float32'), factor), trainedPositions), factor - 1);
      const long = longerThan(trainedPositions);
      const base = g.mul(g.pow(g.where(long, growth, 1), rotaryDim / (rotaryDim - 2)), theta);
      const powers = g.pow(base, row(frequencyExponents(rotaryDim)));
      return g.where(long, g.reciprocal(powers), usual);
    }
    default:
      return usual;
  }
}

/**
 * Rotates the heads of every row; the rest of a head is unchanged.
 * @param x [R, heads * headDim]
 * @returns [R, heads * headDim]
 */
export function rotate(g: GraphBuilder, x: Value, { cos, sin }: Rotation, headDim: number): Value {
  const [rows, width] = x.shape as readonly [Dim, Dim];
  const half = cos.shape[2] as number;
  const heads = g.reshape(x, [rows, divideDims(width, headDim)!, headDim]); // [R, heads, headDim]
  const sizes = 2 * half === headDim ? [half, half] : [half, half, headDim - 2 * half];
  const [first, second, ...rest] = g.split(heads, sizes, 2) as readonly [Value, Value, ...Value[]];
  const turned = [g.sub(g.mul(first, cos), g.mul(second, sin)), g.add(g.mul(second, cos), g.mul(first, sin))];
  return g.reshape(g.concat([...turned, ...rest], 2), [rows, width]); // [R, heads * headDim]
}
