/** The transpose of a broadcast: a sum over the repeats. */
import type { GraphBuilder } from '../onnx/builder.js';
import { dimsEqual, type Shape, shapesEqual } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';

/**
 * Sums a cotangent over the axes along which a value of `shape` was repeated.
 * @param ct a value of a shape into which `shape` broadcasts
 */
export function unbroadcast(g: GraphBuilder, ct: Value, shape: Shape): Value {
  if (shapesEqual(ct.shape, shape)) return ct;
  const added = ct.shape.length - shape.length;
  const axes = [...ct.shape.keys()].filter((axis) => axis < added || !dimsEqual(ct.shape[axis]!, shape[axis - added]!));
  return g.reshape(g.reduceSum(ct, axes), shape);
}
