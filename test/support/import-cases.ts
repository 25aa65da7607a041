/**
 * What is checked of every op that the importer knows: nodes as exporters write them, and what they
 * are fed.
 */
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { float, int, ints, type ModelNode, string, tensorAttribute, tensorMessage } from './onnx-model.js';
import { seeded } from './random.js';

/**
 * One node, or some, with what goes in. Inputs are named a, b, c … in the order of `feeds` and
 * `constants`.
 */
export interface ImportCase {
  readonly nodes: readonly ModelNode[];
  /** Fed at run time. */
  readonly feeds?: Readonly<Record<string, Tensor>>;
  /** Stored in the model. */
  readonly constants?: Readonly<Record<string, Tensor>>;
  readonly outputs?: readonly string[];
  readonly opset?: number;
}

let seed = 1;
const real = (...shape: number[]): Tensor<'float32'> => {
  const random = seeded(seed++);
  const length = shape.reduce((product, dim) => product * dim, 1);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length }, () => 2 * random() - 1),
  );
};
const positive = (...shape: number[]): Tensor<'float32'> => ({
  ...real(...shape),
  data: real(...shape).data.map((x) => Math.abs(x) + 0.5),
});
const whole = (shape: number[], ...values: number[]): Tensor<'int64'> => tensor('int64', shape, BigInt64Array.from(values, BigInt));
const list = (...values: number[]): Tensor<'int64'> => whole([values.length], ...values);
const one = (value: number): Tensor<'int64'> => whole([], value);
const scalar = (value: number): Tensor<'float32'> => tensor('float32', [], Float32Array.of(value));

type Attributes = ModelNode['attributes'];

const node = (op: string, inputs: readonly string[], attributes: Attributes = {}): ModelNode => ({ op, inputs, attributes });

const unary = (op: string, feed: Tensor = real(2, 3), attributes: Attributes = {}): readonly ImportCase[] => [
  { nodes: [node(op, ['a'], attributes)], feeds: { a: feed } },
];
const binary = (op: string, a: Tensor = real(2, 3), b: Tensor = real(3)): readonly ImportCase[] => [
  { nodes: [node(op, ['a', 'b'])], feeds: { a, b } },
];
const reduction = (op: string): readonly ImportCase[] => [
  { nodes: [node(op, ['a', 'axes'])], feeds: { a: positive(2, 3, 4) }, constants: { axes: list(-1) } },
  { nodes: [node(op, ['a', 'axes'], { keepdims: int(0) })], feeds: { a: positive(2, 3, 4) }, constants: { axes: list(0, 2) } },
  { nodes: [node(op, ['a'])], feeds: { a: positive(2, 3) } },
];
const attributeAxes = (op: string): ImportCase => ({
  nodes: [node(op, ['a'], { axes: ints(1), keepdims: int(0) })],
  feeds: { a: positive(2, 3, 4) },
  opset: 17,
});
/** Truth values, as comparisons make them. */
const truth = (op: string): readonly ImportCase[] => [
  {
    nodes: [
      { op: 'Less', inputs: ['a', 'b'], outputs: ['p'], name: 'p' },
      { op: 'Less', inputs: ['b', 'c'], outputs: ['q'], name: 'q' },
      node(op, ['p', 'q']),
    ],
    feeds: { a: real(2, 3), b: real(2, 3), c: real(3) },
  },
];
const contrib = (
  op: string,
  inputs: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
  attributes: Attributes = {},
): ImportCase => ({
  nodes: [{ op, domain: 'com.microsoft', inputs, attributes }],
  feeds,
});

const heads = { q_num_heads: int(4), kv_num_heads: int(2) };
const attentionInputs = { q: real(2, 5, 12), k: real(2, 5, 6), v: real(2, 5, 6) };
const angles = (shape: readonly number[]) => ({ cos: real(...shape), sin: real(...shape) });

/** The rows of one op; the keys are compared with the importer's table. */
export const importCases: Readonly<Record<string, readonly ImportCase[]>> = {
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: [...binary('Div', real(2, 3), positive(2, 1)), ...binary('Div', list(7, -7, 9), list(2, 2, 4))],
  Mod: [{ nodes: [node('Mod', ['a', 'b'])], feeds: { a: list(7, -7, 6, -6) }, constants: { b: one(3) } }],
  Pow: [2, 3, 0.5, -1, 1, 2.5].map((power) => ({
    nodes: [node('Pow', ['a', 'b'])],
    feeds: { a: positive(2, 3) },
    constants: { b: scalar(power) },
  })),
  Sum: [{ nodes: [node('Sum', ['a', 'b', 'c'])], feeds: { a: real(2, 3), b: real(3), c: real(2, 1) } }],
  Mean: [{ nodes: [node('Mean', ['a', 'b', 'c'])], feeds: { a: real(2, 3), b: real(3), c: real(2, 1) } }],
  Max: [{ nodes: [node('Max', ['a', 'b', 'c'])], feeds: { a: real(2, 3), b: real(3), c: real(2, 1) } }],
  Min: [{ nodes: [node('Min', ['a', 'b'])], feeds: { a: list(1, 5), b: list(3, 2) } }, ...unary('Min')],
  Neg: unary('Neg'),
  Abs: unary('Abs'),
  Sqrt: unary('Sqrt', positive(2, 3)),
  Reciprocal: unary('Reciprocal', positive(2, 3)),
  Exp: unary('Exp'),
  Log: unary('Log', positive(2, 3)),
  Sin: unary('Sin'),
  Cos: unary('Cos'),
  Tanh: unary('Tanh'),
  Erf: unary('Erf'),
  Sigmoid: unary('Sigmoid'),
  Relu: unary('Relu'),
  LeakyRelu: [...unary('LeakyRelu'), ...unary('LeakyRelu', real(2, 3), { alpha: float(0.2) })],
  Elu: [...unary('Elu'), ...unary('Elu', real(2, 3), { alpha: float(0.5) })],
  Softplus: unary('Softplus'),
  Softsign: unary('Softsign'),
  Mish: unary('Mish'),
  HardSigmoid: unary('HardSigmoid', real(2, 8), { alpha: float(0.9), beta: float(0.4) }),
  HardSwish: unary('HardSwish', real(2, 8)),
  Gelu: [...unary('Gelu'), ...unary('Gelu', real(2, 3), { approximate: string('tanh') })],
  Clip: [
    { nodes: [node('Clip', ['a', 'low', 'high'])], feeds: { a: real(2, 8) }, constants: { low: scalar(-0.2), high: scalar(0.3) } },
    { nodes: [node('Clip', ['a', '', 'high'])], feeds: { a: real(2, 8) }, constants: { high: scalar(0.3) } },
    { nodes: [node('Clip', ['a'])], feeds: { a: real(2, 8) } },
  ],
  Identity: unary('Identity'),
  Cast: [
    ...unary('Cast', real(2, 3), { to: int(11) }),
    ...unary('Cast', list(3, 0, 1), { to: int(1) }),
    ...unary('Cast', list(3, 0), { to: int(9) }),
  ],
  CastLike: binary('CastLike', list(3, 0, 1), real(2)),
  Where: [
    {
      nodes: [{ op: 'Less', inputs: ['a', 'b'], outputs: ['p'], name: 'p' }, node('Where', ['p', 'a', 'b'])],
      feeds: { a: real(2, 3), b: real(3) },
    },
  ],
  Equal: binary('Equal', list(1, 2, 3), list(1, 0, 3)),
  Less: binary('Less'),
  LessOrEqual: binary('LessOrEqual', list(1, 2, 3), list(1, 0, 4)),
  Greater: binary('Greater'),
  GreaterOrEqual: binary('GreaterOrEqual', list(1, 2, 3), list(1, 0, 4)),
  And: truth('And'),
  Or: truth('Or'),
  Xor: truth('Xor'),
  Not: [
    { nodes: [{ op: 'Less', inputs: ['a', 'b'], outputs: ['p'], name: 'p' }, node('Not', ['p'])], feeds: { a: real(2, 3), b: real(3) } },
  ],
  IsNaN: unary('IsNaN', tensor('float32', [3], Float32Array.of(1, Number.NaN, 2))),
  Dropout: unary('Dropout'),
  MatMul: [
    ...binary('MatMul', real(2, 3, 4), real(4, 5)),
    ...binary('MatMul', real(4), real(4, 5)),
    ...binary('MatMul', real(2, 3, 4), real(4)),
    ...binary('MatMul', real(4), real(4)),
  ],
  Gemm: [
    {
      nodes: [node('Gemm', ['a', 'b', 'c'], { transB: int(1), alpha: float(2), beta: float(0.5) })],
      feeds: { a: real(2, 3), b: real(4, 3), c: real(4) },
    },
    { nodes: [node('Gemm', ['a', 'b'], { transA: int(1) })], feeds: { a: real(3, 2), b: real(3, 4) } },
  ],
  ReduceSum: reduction('ReduceSum'),
  ReduceMean: [...reduction('ReduceMean'), attributeAxes('ReduceMean')],
  ReduceMax: [...reduction('ReduceMax'), attributeAxes('ReduceMax')],
  ReduceMin: [...reduction('ReduceMin'), attributeAxes('ReduceMin')],
  ReduceSumSquare: [...reduction('ReduceSumSquare'), attributeAxes('ReduceSumSquare')],
  ReduceL1: reduction('ReduceL1'),
  ReduceL2: reduction('ReduceL2'),
  ReduceProd: [{ nodes: [node('ReduceProd', ['a', 'axes'], { keepdims: int(0) })], constants: { a: list(2, 3, 4), axes: list(0) } }],
  CumSum: [
    { nodes: [node('CumSum', ['a', 'axis'])], feeds: { a: real(2, 4) }, constants: { axis: one(-1) } },
    {
      nodes: [node('CumSum', ['a', 'axis'], { exclusive: int(1), reverse: int(1) })],
      feeds: { a: real(4, 2) },
      constants: { axis: one(0) },
    },
  ],
  ArgMax: unary('ArgMax', real(3, 4), { axis: int(1), keepdims: int(0) }),
  Softmax: [...unary('Softmax', real(2, 3, 4)), ...unary('Softmax', real(2, 3, 4), { axis: int(1) })],
  LogSoftmax: unary('LogSoftmax', real(2, 3, 4)),
  LayerNormalization: [
    { nodes: [node('LayerNormalization', ['a', 'b', 'c'], { epsilon: float(0.01) })], feeds: { a: real(2, 3, 4), b: real(4), c: real(4) } },
    { nodes: [node('LayerNormalization', ['a', 'b'], { axis: int(1) })], feeds: { a: real(2, 3, 4), b: real(3, 4) } },
  ],
  RMSNormalization: [
    { nodes: [node('RMSNormalization', ['a', 'b'], { epsilon: float(0.01) })], feeds: { a: real(2, 3, 4), b: real(4) }, opset: 23 },
  ],
  SimplifiedLayerNormalization: [
    { nodes: [node('SimplifiedLayerNormalization', ['a', 'b'], { epsilon: float(0.01) })], feeds: { a: real(2, 3, 4), b: real(4) } },
  ],
  Attention: [
    { nodes: [node('Attention', ['q', 'k', 'v'], { ...heads, is_causal: int(1) })], feeds: attentionInputs, opset: 23 },
    {
      nodes: [node('Attention', ['q', 'k', 'v', 'm'], { ...heads, scale: float(0.3) })],
      feeds: { ...attentionInputs, m: real(5, 5) },
      opset: 23,
    },
    {
      nodes: [{ op: 'Less', inputs: ['x', 'z'], outputs: ['m'], name: 'm' }, node('Attention', ['q', 'k', 'v', 'm'])],
      feeds: { q: real(2, 4, 5, 3), k: real(2, 4, 5, 3), v: real(2, 4, 5, 3), x: real(1, 5), z: positive(5, 1) },
      opset: 23,
    },
  ],
  RotaryEmbedding: [
    { nodes: [node('RotaryEmbedding', ['x', 'cos', 'sin'])], feeds: { x: real(2, 3, 5, 4), ...angles([2, 5, 2]) }, opset: 23 },
    {
      nodes: [node('RotaryEmbedding', ['x', 'cos', 'sin', 'p'], { interleaved: int(1) })],
      feeds: { x: real(2, 3, 5, 4), ...angles([8, 2]), p: whole([2, 5], 0, 1, 2, 3, 4, 1, 2, 3, 4, 5) },
      opset: 23,
    },
    {
      nodes: [node('RotaryEmbedding', ['x', 'cos', 'sin', 'p'], { num_heads: int(3), rotary_embedding_dim: int(4) })],
      feeds: { x: real(2, 5, 18), ...angles([8, 2]), p: whole([2, 5], 0, 1, 2, 3, 4, 1, 2, 3, 4, 5) },
      opset: 23,
    },
  ],
  Constant: [
    { nodes: [{ ...node('Constant', [], { value_float: float(2.5) }), outputs: ['k'] }, node('Mul', ['a', 'k'])], feeds: { a: real(2) } },
    {
      nodes: [{ ...node('Constant', [], { value_ints: ints(3, 2) }), outputs: ['k'] }, node('Reshape', ['a', 'k'])],
      feeds: { a: real(2, 3) },
    },
    {
      nodes: [
        { ...node('Constant', [], { value: tensorAttribute(tensorMessage('', list(1))) }), outputs: ['k'] },
        node('Unsqueeze', ['a', 'k']),
      ],
      feeds: { a: real(2, 3) },
    },
  ],
  ConstantOfShape: [
    { nodes: [node('ConstantOfShape', ['s'])], constants: { s: list(2, 3) } },
    { nodes: [node('ConstantOfShape', ['s'], { value: tensorAttribute(tensorMessage('', list(7))) })], constants: { s: list(2, 3) } },
    {
      nodes: [node('ConstantOfShape', ['s'], { value: tensorAttribute(tensorMessage('', { ...scalar(1.5), shape: [1] })) })],
      constants: { s: list(2) },
    },
  ],
  Shape: [...unary('Shape', real(2, 3, 4)), ...unary('Shape', real(2, 3, 4), { start: int(-2), end: int(-1) })],
  Size: unary('Size', real(2, 3, 4)),
  Range: [
    { nodes: [node('Range', ['a', 'b', 'c'])], constants: { a: one(1), b: one(8), c: one(3) } },
    { nodes: [node('Range', ['a', 'b', 'c'])], constants: { a: one(5), b: one(0), c: one(-2) } },
  ],
  Reshape: [
    { nodes: [node('Reshape', ['a', 's'])], feeds: { a: real(2, 3, 4) }, constants: { s: list(0, -1) } },
    { nodes: [node('Reshape', ['a', 's'], { allowzero: int(1) })], feeds: { a: real(2, 3, 4) }, constants: { s: list(4, 3, -1) } },
  ],
  Flatten: [
    ...unary('Flatten', real(2, 3, 4)),
    ...unary('Flatten', real(2, 3, 4), { axis: int(-1) }),
    ...unary('Flatten', real(2, 3), { axis: int(0) }),
  ],
  Transpose: [...unary('Transpose', real(2, 3, 4)), ...unary('Transpose', real(2, 3, 4), { perm: ints(1, 2, 0) })],
  Squeeze: [
    { nodes: [node('Squeeze', ['a', 'axes'])], feeds: { a: real(1, 3, 1) }, constants: { axes: list(-1) } },
    ...unary('Squeeze', real(1, 3, 1)),
  ],
  Unsqueeze: [{ nodes: [node('Unsqueeze', ['a', 'axes'])], feeds: { a: real(2, 3) }, constants: { axes: list(0, -1) } }],
  Expand: [
    { nodes: [node('Expand', ['a', 's'])], feeds: { a: real(3, 1) }, constants: { s: list(2, 1, 4) } },
    { nodes: [node('Expand', ['a', 's'])], feeds: { a: real(2, 3, 1) }, constants: { s: list(4) } },
  ],
  Concat: [{ nodes: [node('Concat', ['a', 'b'], { axis: int(-1) })], feeds: { a: real(2, 3), b: real(2, 1) } }],
  Split: [
    {
      nodes: [{ ...node('Split', ['a', 's'], { axis: int(1) }), outputs: ['y', 'z'] }],
      feeds: { a: real(2, 5) },
      constants: { s: list(2, 3) },
      outputs: ['y', 'z'],
    },
    { nodes: [{ ...node('Split', ['a'], { num_outputs: int(2) }), outputs: ['y', 'z'] }], feeds: { a: real(5, 2) }, outputs: ['y', 'z'] },
    {
      nodes: [{ ...node('Split', ['a'], { axis: int(-1) }), outputs: ['y', 'z'] }],
      feeds: { a: real(2, 4) },
      outputs: ['y', 'z'],
      opset: 17,
    },
  ],
  SplitToSequence: [
    {
      nodes: [
        { ...node('SplitToSequence', ['a', 's'], { axis: int(1) }), outputs: ['parts'] },
        { ...node('SequenceAt', ['parts', 'i']), name: 'second' },
      ],
      feeds: { a: real(2, 6) },
      constants: { s: one(2), i: one(1) },
    },
  ],
  SequenceAt: [
    {
      nodes: [
        { ...node('SplitToSequence', ['a', 's']), outputs: ['parts'] },
        { ...node('SequenceAt', ['parts', 'i']), name: 'last' },
      ],
      feeds: { a: real(5, 2) },
      constants: { s: list(2, 3), i: one(-1) },
    },
  ],
  Slice: [
    { nodes: [node('Slice', ['a', 'b', 'c'])], feeds: { a: real(5, 3) }, constants: { b: list(1, -2), c: list(9223372036854775000, -1) } },
    {
      nodes: [node('Slice', ['a', 'b', 'c', 'd', 'e'])],
      feeds: { a: real(2, 6) },
      constants: { b: list(1), c: list(99), d: list(-1), e: list(2) },
    },
    {
      nodes: [node('Slice', ['a', 'b', 'c', 'd', 'e'])],
      feeds: { a: real(2, 7) },
      constants: { b: list(0), c: list(6), d: list(1), e: list(3) },
    },
    {
      nodes: [node('Slice', ['a', 'b', 'c', 'd', 'e'])],
      feeds: { a: real(4, 2) },
      constants: { b: list(-1), c: list(-99), d: list(0), e: list(-1) },
    },
  ],
  Tile: [{ nodes: [node('Tile', ['a', 'r'])], feeds: { a: real(2, 3) }, constants: { r: list(2, 3) } }],
  Pad: [
    { nodes: [node('Pad', ['a', 'p'])], feeds: { a: real(2, 3) }, constants: { p: list(0, 1, 2, 0) } },
    { nodes: [node('Pad', ['a', 'p', 'v', 'x'])], feeds: { a: real(2, 3) }, constants: { p: list(1, 2), v: scalar(0), x: list(-1) } },
  ],
  Trilu: [
    { nodes: [node('Trilu', ['a'], { upper: int(0) })], feeds: { a: real(4, 4) } },
    { nodes: [node('Trilu', ['a', 'k'])], feeds: { a: real(2, 4, 4) }, constants: { k: one(1) } },
  ],
  Gather: [
    { nodes: [node('Gather', ['a', 'i'])], feeds: { a: real(4, 3), i: whole([2, 2], 1, -1, 0, 3) } },
    { nodes: [node('Gather', ['a', 'i'], { axis: int(1) })], feeds: { a: real(2, 4), i: one(2) } },
  ],
  GatherElements: [
    { nodes: [node('GatherElements', ['a', 'i'], { axis: int(1) })], feeds: { a: real(2, 4), i: whole([2, 2], 1, 0, 3, 3) } },
  ],
  GatherND: [{ nodes: [node('GatherND', ['a', 'i'])], feeds: { a: real(3, 4), i: whole([2, 2], 1, 0, 2, 3) } }],
  ScatterND: [{ nodes: [node('ScatterND', ['a', 'i', 'u'])], feeds: { a: real(4, 3), i: whole([2, 1], 1, 3), u: real(2, 3) } }],
  ScatterElements: [
    {
      nodes: [node('ScatterElements', ['a', 'i', 'u'], { axis: int(1), reduction: string('add') })],
      feeds: { a: real(2, 4), i: whole([2, 2], 1, 1, 0, 3), u: real(2, 2) },
    },
  ],
  'com.microsoft::Gelu': [contrib('Gelu', ['a'], { a: real(2, 3) })],
  'com.microsoft::QuickGelu': [contrib('QuickGelu', ['a'], { a: real(2, 3) }, { alpha: float(1) })],
  'com.microsoft::FastGelu': [
    contrib('FastGelu', ['a', 'b'], { a: real(2, 3), b: real(3) }),
    contrib('FastGelu', ['a'], { a: real(2, 3) }),
  ],
  'com.microsoft::BiasGelu': [contrib('BiasGelu', ['a', 'b'], { a: real(2, 3), b: real(3) })],
  'com.microsoft::FusedMatMul': [
    contrib('FusedMatMul', ['a', 'b'], { a: real(2, 3, 4), b: real(2, 5, 4) }, { transB: int(1), alpha: float(0.5) }),
  ],
  'com.microsoft::SkipLayerNormalization': [
    contrib(
      'SkipLayerNormalization',
      ['a', 's', 'g', 'b', 'c'],
      { a: real(2, 3, 4), s: real(2, 3, 4), g: real(4), b: real(4), c: real(4) },
      { epsilon: float(0.01) },
    ),
  ],
  'com.microsoft::SkipSimplifiedLayerNormalization': [
    contrib(
      'SkipSimplifiedLayerNormalization',
      ['a', 's', 'g'],
      { a: real(2, 3, 4), s: real(2, 3, 4), g: real(4) },
      { epsilon: float(0.01) },
    ),
  ],
};
