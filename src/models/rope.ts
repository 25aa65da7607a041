/**
 * Rotary position embedding, computed in the graph in float32 as transformers computes it: angle = position * inverse frequency,
 * the two halves of a head rotated against each other ("rotate half").
 * @see arXiv:2104.09864; transformers `modeling_rope_utils.py` for the scalings
 */
import type { GraphBuilder } from '../onnx/builder.js';
import { type Dim, divideDims } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import { f32 } from '../tensor/tensor.js';
import type { RopeSpec } from './spec.js';

/** Cosine and sine of every row's angles, each [R, 1, headDim / 2]. */
export interface Rotation {
  readonly cos: Value;
  readonly sin: Value;
}

/** The inverse frequencies of a head, headDim / 2 of them, highest first; each step rounded to float32 as torch rounds it. */
export function inverseFrequencies(rope: RopeSpec, headDim: number): Float32Array {
  const { fround } = Math;
  const plain = Float32Array.from({ length: headDim / 2 }, (_, i) => fround(1 / fround(rope.theta ** fround((2 * i) / headDim))));
  switch (rope.scaling) {
    case 'none':
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / rope.factor);
    case 'llama3':
      return plain.map((frequency) => {
        const wavelength = (2 * Math.PI) / frequency;
        if (wavelength < rope.originalMaxPositions / rope.highFreqFactor) return frequency;
        if (wavelength > rope.originalMaxPositions / rope.lowFreqFactor) return frequency / rope.factor;
        const smooth = (rope.originalMaxPositions / wavelength - rope.lowFreqFactor) / (rope.highFreqFactor - rope.lowFreqFactor);
        return ((1 - smooth) * frequency) / rope.factor + smooth * frequency;
      });
  }
}

/**
 * The rotation of every row.
 * @param positions int64 [R]
 */
export function rotation(g: GraphBuilder, rope: RopeSpec, headDim: number, positions: Value): Rotation {
  return g.scoped('rope', () => {
    const frequencies = g.constant(f32([1, 1, headDim / 2], inverseFrequencies(rope, headDim)));
    const angles = g.mul(g.unsqueeze(g.cast(positions, 'float32'), [1, 2]), frequencies); // [R, 1, headDim / 2]
    return { cos: g.cos(angles), sin: g.sin(angles) };
  });
}

/**
 * Rotates the heads of every row.
 * @param x [R, heads * headDim]
 * @returns [R, heads * headDim]
 */
export function rotate(g: GraphBuilder, x: Value, { cos, sin }: Rotation, headDim: number): Value {
  const [rows, width] = x.shape as readonly [Dim, Dim];
  const heads = g.reshape(x, [rows, divideDims(width, headDim)!, headDim]); // [R, heads, headDim]
  const [first, second] = g.split(heads, [headDim / 2, headDim / 2], 2) as readonly [Value, Value];
  const turned = g.concat([g.sub(g.mul(first, cos), g.mul(second, sin)), g.add(g.mul(second, cos), g.mul(first, sin))], 2);
  return g.reshape(turned, [rows, width]); // [R, heads * headDim]
}
