/** Shape rules of the normalizations over the last axes. */
import { shapesEqual, shapeText } from '../dim.js';
import type { Value, ValueType } from '../value.js';
import { type Invalid, resolveAxis, type ShapeRules, sameDType } from './context.js';

/** The statistics' type: normalized axes become 1; ONNX Runtime computes them in float32. */
function normalized(X: Value, axis: number, parameters: Readonly<Record<string, Value | undefined>>, invalid: Invalid): ValueType {
  sameDType({ X, ...parameters }, invalid);
  const first = resolveAxis(axis, X.shape.length, invalid);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && !shapesEqual(value.shape, X.shape.slice(first))) {
      throw invalid(`${name}: expected ${shapeText(X.shape.slice(first))}, got ${shapeText(value.shape)}`);
    }
  }
  return { dtype: 'float32', shape: X.shape.map((dim, at) => (at < first ? dim : 1)) };
}

export const normalizationShapes = {
  LayerNormalization: ({ X, Scale, B, axis, invalid }) => {
    const statistics = normalized(X, axis, { Scale, B }, invalid);
    return [{ dtype: X.dtype, shape: X.shape }, statistics, statistics];
  },
  SimplifiedLayerNormalization: ({ X, scale, axis, invalid }) => {
    const statistics = normalized(X, axis, { scale }, invalid);
    return [{ dtype: X.dtype, shape: X.shape }, statistics];
  },
} satisfies Partial<ShapeRules>;
