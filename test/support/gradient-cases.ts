/**
 * What is checked of every op's VJP rule: broadcasts, attributes and every differentiable input.
 */
import type { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import type { OpName } from '../../src/compiler/onnx/op-signatures.js';
import type { Value } from '../../src/compiler/onnx/value.js';
import { tensor } from '../../src/tensor/tensor.js';
import type { CheckedInput, GradientCase } from './gradient-check.js';

type Make = GradientCase['outputs'];

const of = (...shape: readonly number[]): CheckedInput => ({ shape });
const positive = (...shape: readonly number[]): CheckedInput => ({ shape, low: 0.5, high: 2 });

const check = (title: string, inputs: readonly CheckedInput[], outputs: Make): GradientCase => ({ title, inputs, outputs });
const check32 = (title: string, inputs: readonly CheckedInput[], outputs: Make): GradientCase => ({
  title,
  inputs,
  outputs,
  dtype: 'float32',
});

const unary = (make: (g: GraphBuilder, x: Value) => Value, input: CheckedInput = of(2, 3)): readonly GradientCase[] => [
  check('of every element', [input], (g, x) => make(g, x!)),
];

const binary = (make: (g: GraphBuilder, a: Value, b: Value) => Value): readonly GradientCase[] => [
  check('of equal shapes', [positive(2, 3), positive(2, 3)], (g, a, b) => make(g, a!, b!)),
  check('of a row against a matrix', [positive(3), positive(2, 3)], (g, a, b) => make(g, a!, b!)),
  check('of a column against a batch', [positive(2, 4, 3), positive(4, 1)], (g, a, b) => make(g, a!, b!)),
  check('of a value with itself', [positive(2, 3)], (g, a) => make(g, a!, a!)),
];

const reduction = (make: (g: GraphBuilder, x: Value, axes: readonly number[], keepdims: number) => Value): readonly GradientCase[] => [
  check('over the last axis, kept', [of(2, 3, 4)], (g, x) => make(g, x!, [-1], 1)),
  check('over two axes, dropped', [of(2, 3, 4)], (g, x) => make(g, x!, [0, 2], 0)),
  check('over all axes', [of(2, 3)], (g, x) => make(g, x!, [0, 1], 0)),
];

const indices = (g: GraphBuilder, shape: readonly number[], values: readonly number[]): Value =>
  g.constant(tensor('int64', shape, BigInt64Array.from(values, BigInt)));

const alphas = [
  { transA: 0, transB: 0, alpha: 1 },
  { transA: 0, transB: 1, alpha: 0.5 },
  { transA: 1, transB: 0, alpha: -2 },
  { transA: 1, transB: 1, alpha: 3 },
] as const;

const matrix = (transposed: number, rows: number, columns: number): readonly number[] =>
  transposed === 0 ? [rows, columns] : [columns, rows];

/** The rows of one op; an op without a gradient says so. */
export const gradientCases: { readonly [Op in OpName]: readonly GradientCase[] | 'nondifferentiable' } = {
  Add: binary((g, a, b) => g.add(a, b)),
  Sub: binary((g, a, b) => g.sub(a, b)),
  Mul: binary((g, a, b) => g.mul(a, b)),
  Div: [
    ...binary((g, a, b) => g.div(a, b)).slice(0, 3),
    check('of a sum by its part', [positive(2, 3), positive(2, 3)], (g, a, b) => g.div(g.add(a!, b!), b!)),
  ],
  Pow: [
    check('to the power 3', [positive(2, 3)], (g, x) => g.pow(x!, 3)),
    check('to the power 2 of negative numbers', [of(2, 3)], (g, x) => g.pow(x!, 2)),
    check('to the power -0.5', [positive(2, 3)], (g, x) => g.pow(x!, -0.5)),
  ],
  Neg: unary((g, x) => g.neg(x)),
  Abs: unary((g, x) => g.abs(x)),
  Max: [
    check('of equal shapes', [of(2, 3), of(2, 3)], (g, a, b) => g.apply('Max', { data_0: [a!, b!] })),
    check('of three, broadcast', [of(2, 3), of(3), of(2, 1)], (g, a, b, c) => g.apply('Max', { data_0: [a!, b!, c!] })),
    check('of a value with itself', [of(2, 3)], (g, a) => g.apply('Max', { data_0: [a!, a!] })),
  ],
  Min: [check('of two, broadcast', [of(2, 3), of(3)], (g, a, b) => g.apply('Min', { data_0: [a!, b!] }))],
  Clip: [
    check('on both sides', [of(4, 5)], (g, x) =>
      g.apply('Clip', { input: x!, min: g.scalar(-0.3, 'float64'), max: g.scalar(0.4, 'float64') }),
    ),
    check('on one side', [of(4, 5)], (g, x) => g.apply('Clip', { input: x!, min: undefined, max: g.scalar(0.1, 'float64') })),
  ],
  Sqrt: unary((g, x) => g.sqrt(x), positive(2, 3)),
  Reciprocal: unary((g, x) => g.reciprocal(x), positive(2, 3)),
  Exp: unary((g, x) => g.exp(x)),
  Log: unary((g, x) => g.log(x), positive(2, 3)),
  Sin: unary((g, x) => g.sin(x)),
  Cos: unary((g, x) => g.cos(x)),
  Tanh: unary((g, x) => g.tanh(x)),
  Erf: [check32('of every element', [of(2, 3)], (g, x) => g.erf(x!))],
  Sigmoid: unary((g, x) => g.sigmoid(x), { shape: [2, 3], low: -6, high: 6 }),
  Relu: unary((g, x) => g.relu(x)),
  Gelu: [
    check32('in its exact form', [{ shape: [3, 5], low: -3, high: 3 }], (g, x) => g.gelu(x!)),
    check('in its tanh form', [{ shape: [3, 5], low: -3, high: 3 }], (g, x) => g.gelu(x!, 'tanh')),
  ],
  QuickGelu: [
    check32('at alpha 1', [{ shape: [3, 5], low: -3, high: 3 }], (g, x) => g.quickGelu(x!, 1)),
    check32('at alpha 1.702', [{ shape: [3, 5], low: -3, high: 3 }], (g, x) => g.quickGelu(x!)),
  ],
  Identity: unary((g, x) => g.identity(x)),
  Cast: [check32('to a wider type and back', [of(2, 3)], (g, x) => g.cast(g.mul(g.cast(x!, 'float64'), 3), 'float32'))],
  Where: [
    check('of equal shapes', [of(2, 3), of(2, 3)], (g, a, b) => g.where(g.less(g.range(0, 3), 2), a!, b!)),
    check('of a scalar and a row, broadcast by the condition', [of(), of(3)], (g, a, b) =>
      g.where(g.less(g.reshape(g.range(0, 6), [2, 3]), 4), a!, b!),
    ),
  ],
  Equal: 'nondifferentiable',
  Less: 'nondifferentiable',
  LessOrEqual: 'nondifferentiable',
  And: 'nondifferentiable',
  Or: 'nondifferentiable',
  Not: 'nondifferentiable',
  IsNaN: 'nondifferentiable',
  MatMul: [
    check('of matrices', [of(2, 3), of(3, 4)], (g, a, b) => g.matMul(a!, b!)),
    check('of batches', [of(2, 5, 2, 3), of(2, 5, 3, 4)], (g, a, b) => g.matMul(a!, b!)),
    check('of a batch and a shared matrix', [of(2, 5, 2, 3), of(3, 4)], (g, a, b) => g.matMul(a!, b!)),
    check('of a shared operand broadcast over the batch', [of(5, 2, 3), of(2, 1, 3, 4)], (g, a, b) => g.matMul(a!, b!)),
  ],
  FusedMatMul: alphas.flatMap(({ transA, transB, alpha }) => [
    check(
      `transA ${transA}, transB ${transB}, alpha ${alpha}`,
      [of(2, ...matrix(transA, 2, 3)), of(2, ...matrix(transB, 3, 4))],
      (g, a, b) => g.fusedMatMul(a!, b!, { transA, transB, alpha }),
    ),
  ]),
  Gemm: [
    ...alphas.map(({ transA, transB, alpha }) =>
      check(
        `transA ${transA}, transB ${transB}, alpha ${alpha}`,
        [of(...matrix(transA, 2, 3)), of(...matrix(transB, 3, 4)), of(2, 4)],
        (g, A, B, C) => g.gemm({ A: A!, B: B!, C: C! }, { transA, transB, alpha, beta: 1.5 }),
      ),
    ),
    check('with a bias row', [of(2, 3), of(3, 4), of(4)], (g, A, B, C) => g.gemm({ A: A!, B: B!, C: C! })),
    check('with a bias column', [of(2, 3), of(3, 4), of(2, 1)], (g, A, B, C) => g.gemm({ A: A!, B: B!, C: C! }, { beta: -1 })),
    check('without C', [of(2, 3), of(3, 4)], (g, A, B) => g.gemm({ A: A!, B: B! })),
  ],
  ReduceSum: reduction((g, x, axes, keepdims) => g.reduceSum(x, axes, keepdims)),
  ReduceMean: reduction((g, x, axes, keepdims) => g.reduceMean(x, axes, keepdims)),
  ReduceMax: reduction((g, x, axes, keepdims) => g.reduceMax(x, axes, keepdims)),
  ArgMax: 'nondifferentiable',
  CumSum: [
    check('along the last axis', [of(2, 4)], (g, x) => g.apply('CumSum', { x: x!, axis: g.scalar(-1, 'int64') })),
    check('exclusive, from the end', [of(4, 2)], (g, x) =>
      g.apply('CumSum', { x: x!, axis: g.scalar(0, 'int64') }, { exclusive: 1, reverse: 1 }),
    ),
  ],
  Softmax: [
    check('over the last axis', [of(2, 3, 4)], (g, x) => g.softmax(x!)),
    check('over a middle axis', [of(2, 3, 4)], (g, x) => g.softmax(x!, 1)),
  ],
  LogSoftmax: [
    check('over the last axis', [of(2, 3, 4)], (g, x) => g.logSoftmax(x!)),
    check('over a middle axis', [of(2, 3, 4)], (g, x) => g.logSoftmax(x!, 1)),
  ],
  LayerNormalization: [
    check('with scale and bias', [of(3, 2, 5), of(5), of(5)], (g, X, Scale, B) => g.layerNormalization({ X: X!, Scale: Scale!, B: B! })),
    check('without bias, with another epsilon', [of(3, 5), of(5)], (g, X, Scale) =>
      g.layerNormalization({ X: X!, Scale: Scale! }, { epsilon: 0.1 }),
    ),
    check('over the last two axes', [of(3, 2, 5), of(2, 5)], (g, X, Scale) => g.layerNormalization({ X: X!, Scale: Scale! }, { axis: 1 })),
  ],
  SimplifiedLayerNormalization: [
    check('over the last axis', [of(3, 2, 5), of(5)], (g, X, scale) => g.simplifiedLayerNormalization({ X: X!, scale: scale! })),
    check('with another epsilon', [of(3, 5), of(5)], (g, X, scale) =>
      g.simplifiedLayerNormalization({ X: X!, scale: scale! }, { epsilon: 0.1 }),
    ),
  ],
  Transpose: [
    check('of two axes', [of(2, 3)], (g, x) => g.transpose(x!, [1, 0])),
    check('of four axes, not its own inverse', [of(2, 3, 4, 5)], (g, x) => g.transpose(x!, [1, 3, 0, 2])),
  ],
  Reshape: [check('to another rank', [of(2, 6)], (g, x) => g.mul(g.reshape(x!, [3, 2, 2]), g.cast(g.range(0, 2), 'float64')))],
  Squeeze: [check('of outer and inner axes', [of(1, 3, 1)], (g, x) => g.squeeze(x!, [0, -1]))],
  Unsqueeze: [check('at the front and back', [of(3)], (g, x) => g.unsqueeze(x!, [0, -1]))],
  Expand: [
    check('along an axis of 1', [of(2, 1)], (g, x) => g.expand(x!, [2, 3])),
    check('along new axes', [of(3)], (g, x) => g.expand(x!, [2, 4, 3])),
  ],
  Concat: [
    check('along the first axis', [of(2, 3), of(1, 3), of(2, 3)], (g, a, b, c) => g.concat([a!, b!, c!], 0)),
    check('along the last axis, one value twice', [of(2, 3), of(2, 1)], (g, a, b) => g.concat([a!, b!, a!], -1)),
  ],
  Split: [
    check('into unequal parts, all used', [of(2, 6)], (g, x) => g.split(x!, [1, 2, 3], 1)),
    check('into parts of which one is used', [of(6, 2)], (g, x) => g.split(x!, [1, 2, 3], 0)[1]!),
  ],
  Slice: [
    check('from the middle', [of(5, 3)], (g, x) => g.slice(x!, 0, 1, 4)),
    check('counted from the end', [of(2, 5)], (g, x) => g.slice(x!, -1, -3, -1)),
    check('of two overlapping parts', [of(4)], (g, x) => g.add(g.slice(x!, 0, 0, 3), g.slice(x!, 0, 1, 4))),
  ],
  Pad: [check('on some sides', [of(2, 3)], (g, x) => g.pad(x!, [1, 0], [0, 2]))],
  Trilu: [
    check('lower', [of(2, 4, 4)], (g, x) => g.trilu(x!, 0)),
    check('upper, above the diagonal', [of(3, 4)], (g, x) => g.trilu(x!, 1, 1)),
  ],
  Gather: [
    check('of rows, some twice', [of(4, 3)], (g, x) => g.gather(x!, indices(g, [5], [3, 0, 3, 2, 3]))),
    check('of rows by a matrix of indices', [of(4, 3)], (g, x) => g.gather(x!, indices(g, [2, 2], [1, 1, 0, -1]))),
    check('along a middle axis', [of(2, 4, 3)], (g, x) => g.gather(x!, indices(g, [2, 3], [0, 3, 3, 1, 1, 1]), 1)),
    check('of one row', [of(4, 3)], (g, x) => g.gather(x!, indices(g, [], [2]))),
  ],
  GatherElements: [
    check('along the last axis, some twice', [of(2, 4)], (g, x) => g.gatherElements(x!, indices(g, [2, 3], [0, 0, 3, 1, 2, 2]), 1)),
  ],
  GatherND: [
    check('of elements, some twice', [of(3, 4)], (g, x) => g.gatherND(x!, indices(g, [3, 2], [0, 1, 2, 3, 0, 1]))),
    check('of rows', [of(3, 4)], (g, x) => g.gatherND(x!, indices(g, [2, 1], [2, 0]))),
  ],
  ScatterElements: [
    check('replacing', [of(2, 4), of(2, 2)], (g, x, u) => g.scatterElements(x!, indices(g, [2, 2], [0, 3, 1, 2]), u!, { axis: 1 })),
    check('adding', [of(2, 4), of(2, 2)], (g, x, u) =>
      g.scatterElements(x!, indices(g, [2, 2], [0, 0, 1, 2]), u!, { axis: 1, reduction: 'add' }),
    ),
  ],
  ScatterND: [
    check('replacing rows', [of(4, 3), of(2, 3)], (g, x, u) => g.scatterND(x!, indices(g, [2, 1], [3, 1]), u!)),
    check('adding rows, some twice', [of(4, 3), of(3, 3)], (g, x, u) => g.scatterND(x!, indices(g, [3, 1], [3, 1, 3]), u!, 'add')),
  ],
  GroupQueryAttention: 'nondifferentiable',
  Shape: 'nondifferentiable',
  Range: 'nondifferentiable',
  ConstantOfShape: 'nondifferentiable',
};
