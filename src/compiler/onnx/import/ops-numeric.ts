/** Translators of products, reductions and normalizations. */

import type { GraphBuilder } from '../builder.js';
import { shapesEqual } from '../dim.js';
import type { Value } from '../value.js';
import type { NodeContext, Translator, Translators } from './context.js';

/** A product whose operands may be vectors, as numpy multiplies them. */
function matMul(c: NodeContext): readonly Value[] {
  const { g } = c;
  const [a, b] = [c.input(0), c.input(1)];
  const A = a.shape.length === 1 ? g.unsqueeze(a, [0]) : a;
  const B = b.shape.length === 1 ? g.unsqueeze(b, [1]) : b;
  let product = g.matMul(A, B);
  if (b.shape.length === 1) product = g.squeeze(product, [product.shape.length - 1]);
  if (a.shape.length === 1) product = g.squeeze(product, [b.shape.length === 1 ? product.shape.length - 1 : product.shape.length - 2]);
  return [product];
}

/** A reduction over axes of an input (before opset 18: an attribute); over all without. */
const reduction =
  (of: (g: GraphBuilder, data: Value, axes: readonly number[], keepdims: number) => Value): Translator =>
  (c) => {
    const data = c.input(0);
    const given = c.optional(1) !== undefined ? c.numbers(1, 'axes') : c.has('axes') ? c.ints('axes') : [];
    if (given.length === 0 && c.int('noop_with_empty_axes', 0) !== 0) return [data];
    const axes = given.length === 0 ? [...data.shape.keys()] : given;
    return [of(c.g, data, axes, c.int('keepdims', 1))];
  };

const sumSquares = (g: GraphBuilder, x: Value, axes: readonly number[], keepdims: number): Value =>
  g.reduceSum(g.mul(x, x), axes, keepdims);

/** A scale or bias in the shape of the normalized axes, from a shape that broadcasts to it. */
function parameter(c: NodeContext, value: Value): Value {
  const x = c.input(0);
  const axis = c.int('axis', -1);
  const shape = x.shape.slice(axis < 0 ? axis + x.shape.length : axis);
  if (shapesEqual(value.shape, shape)) return value;
  return c.g.expand(value.shape.length > shape.length ? c.g.reshape(value, value.shape.slice(-shape.length)) : value, shape);
}

function axisAndEpsilon(c: NodeContext) {
  return { axis: c.int('axis', -1), epsilon: c.float('epsilon', 1e-5) };
}

function requireStash(c: NodeContext): void {
  if (c.int('stash_type', 1) !== 1) throw c.unsupported('stash_type other than float32 is not known');
}

function layerNormalization(c: NodeContext): readonly Value[] {
  requireStash(c);
  const B = c.optional(2);
  const inputs = { X: c.input(0), Scale: parameter(c, c.input(1)), B: B && parameter(c, B) };
  return c.g.applyAll('LayerNormalization', inputs, axisAndEpsilon(c));
}

function rmsNormalization(c: NodeContext): readonly Value[] {
  requireStash(c);
  return c.g.applyAll('SimplifiedLayerNormalization', { X: c.input(0), scale: parameter(c, c.input(1)) }, axisAndEpsilon(c));
}

export const numericOps: Translators = {
  MatMul: matMul,
  Gemm: (c) => [
    c.g.gemm(
      { A: c.input(0), B: c.input(1), C: c.optional(2) },
      { alpha: c.float('alpha', 1), beta: c.float('beta', 1), transA: c.int('transA', 0), transB: c.int('transB', 0) },
    ),
  ],
  ReduceSum: reduction((g, x, axes, keepdims) => g.reduceSum(x, axes, keepdims)),
  ReduceMean: reduction((g, x, axes, keepdims) => g.reduceMean(x, axes, keepdims)),
  ReduceMax: reduction((g, x, axes, keepdims) => g.reduceMax(x, axes, keepdims)),
  ReduceMin: reduction((g, x, axes, keepdims) => g.neg(g.reduceMax(g.neg(x), axes, keepdims))),
  ReduceSumSquare: reduction(sumSquares),
  ReduceL1: reduction((g, x, axes, keepdims) => g.reduceSum(g.abs(x), axes, keepdims)),
  ReduceL2: reduction((g, x, axes, keepdims) => g.sqrt(sumSquares(g, x, axes, keepdims))),
  ReduceProd: (c) => {
    throw c.unsupported('only the product of sizes is known');
  },
  CumSum: (c) => {
    const [axis] = c.numbers(1, 'axis');
    return [
      c.g.apply(
        'CumSum',
        { x: c.input(0), axis: c.g.scalar(axis ?? 0, 'int64') },
        { exclusive: c.int('exclusive', 0), reverse: c.int('reverse', 0) },
      ),
    ];
  },
  ArgMax: (c) => {
    if (c.int('select_last_index', 0) !== 0) throw c.unsupported('select_last_index is not known');
    return [c.g.argMax(c.input(0), c.int('axis', 0), c.int('keepdims', 1))];
  },
  Softmax: (c) => [c.g.softmax(c.input(0), c.int('axis', -1))],
  LogSoftmax: (c) => [c.g.logSoftmax(c.input(0), c.int('axis', -1))],
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  // ONNX Runtime's, which it also takes without its domain.
  SimplifiedLayerNormalization: (c) =>
    c.g.applyAll('SimplifiedLayerNormalization', { X: c.input(0), scale: c.input(1) }, axisAndEpsilon(c)),
};
