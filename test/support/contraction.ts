/**
 * Gradients of weights as fixtures hold them: contracted with the fixed vectors of
 * test/conformance/weight_gradients.py.
 */
import { f32, type Tensor } from '../../src/tensor/tensor.js';

/**
 * A vector as it is, under ''; a matrix G [a, b] as G v [a], under '.right', and u G [b], under
 * '.left'; in float64.
 */
export function contracted(gradient: Tensor): Readonly<Record<string, Tensor>> {
  if (gradient.shape.length === 1) return { '': gradient };
  const [rows, columns] = gradient.shape as readonly [number, number];
  const right = new Float64Array(rows);
  const left = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const value = Number(gradient.data[i * columns + j]);
      right[i]! += value * Math.cos(0.7 * (j + 1));
      left[j]! += value * Math.cos(i + 1);
    }
  }
  return { '.right': f32([rows], [...right]), '.left': f32([columns], [...left]) };
}
