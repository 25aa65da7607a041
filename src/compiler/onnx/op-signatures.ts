/**
 * The closed table of ops: inputs, outputs and attributes of each. Names are those of the ONNX
 * specification (opset 21) and of ONNX Runtime's contrib operators. Shape rules, VJP rules and the
 * encoder are typed by this table. Optional attributes and inputs whose default depends on the rank
 * (`perm`, `axes`) are required here. An explicit graph is easier to differentiate and to read.
 * @see https://onnx.ai/onnx/operators/
 */
import type { DType } from '../../tensor/dtype.js';
import type { Tensor } from '../../tensor/tensor.js';

/** How an input takes part in differentiation, and how many values it takes. */
interface InputSpec {
  /**
   * `real`: gradients flow through it. `plain`: its data matter but have no gradient. `shape`: only
   * its shape matters. `steps`: the output is piecewise constant in it, so its gradient is zero.
   */
  readonly flow: 'real' | 'plain' | 'shape' | 'steps';
  readonly arity: 'one' | 'optional' | 'variadic';
}

/** What an attribute holds; `dtype` is encoded as `TensorProto.DataType`. */
interface AttributeTypes {
  readonly int: number;
  readonly float: number;
  readonly ints: readonly number[];
  readonly string: string;
  readonly dtype: DType;
  readonly tensor: Tensor;
}

interface AttributeSpec {
  readonly type: keyof AttributeTypes;
  readonly default?: number | string;
}

/** One op. Only the first output must be used; `variadic` outputs depend on the op's arguments. */
export interface OpSignature {
  readonly domain: '' | 'com.microsoft';
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly outputs: readonly string[] | 'variadic';
  readonly attributes: Readonly<Record<string, AttributeSpec>>;
  /** All outputs are named in a file, used or not: without them the kernel takes a slow path. */
  readonly namesAll?: true;
}

const real = { flow: 'real', arity: 'one' } as const;
const optional = { flow: 'real', arity: 'optional' } as const;
const variadic = { flow: 'real', arity: 'variadic' } as const;
const plain = { flow: 'plain', arity: 'one' } as const;
const optionalPlain = { flow: 'plain', arity: 'optional' } as const;
const shape = { flow: 'shape', arity: 'one' } as const;
const steps = { flow: 'steps', arity: 'one' } as const;

const int = { type: 'int' } as const;
const ints = { type: 'ints' } as const;
const flag = { type: 'int', default: 0 } as const;
const flagOn = { type: 'int', default: 1 } as const;
const one = { type: 'float', default: 1 } as const;
const reduction = { type: 'string', default: 'none' } as const;

const unary = { domain: '', inputs: { input: real }, outputs: ['output'], attributes: {} } as const;
const unaryX = { domain: '', inputs: { X: real }, outputs: ['Y'], attributes: {} } as const;
const binary = { domain: '', inputs: { A: real, B: real }, outputs: ['C'], attributes: {} } as const;
const comparison = { domain: '', inputs: { A: plain, B: plain }, outputs: ['C'], attributes: {} } as const;
const extremum = { domain: '', inputs: { data_0: variadic }, outputs: ['output'], attributes: {} } as const;
const reduce = { domain: '', inputs: { data: real, axes: plain }, outputs: ['reduced'], attributes: { keepdims: flagOn } } as const;
const alongAxis = { domain: '', inputs: { input: real }, outputs: ['output'], attributes: { axis: int } } as const;

export const opSignatures = {
  // elementwise
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Pow: { domain: '', inputs: { X: real, Y: plain }, outputs: ['Z'], attributes: {} },
  Neg: unaryX,
  Abs: unaryX,
  Max: extremum,
  Min: extremum,
  Clip: { domain: '', inputs: { input: real, min: optionalPlain, max: optionalPlain }, outputs: ['output'], attributes: {} },
  Sqrt: unaryX,
  Reciprocal: unaryX,
  Exp: unary,
  Log: unary,
  Sin: unary,
  Cos: unary,
  Tanh: unary,
  Erf: unary,
  Sigmoid: unaryX,
  Relu: unaryX,
  Gelu: { domain: '', inputs: { X: real }, outputs: ['Y'], attributes: { approximate: { type: 'string', default: 'none' } } },
  QuickGelu: { domain: 'com.microsoft', inputs: { X: real }, outputs: ['Y'], attributes: { alpha: { type: 'float', default: 1.702 } } },
  Identity: unary,
  Cast: { domain: '', inputs: { input: real }, outputs: ['output'], attributes: { to: { type: 'dtype' } } },
  Where: { domain: '', inputs: { condition: plain, X: real, Y: real }, outputs: ['output'], attributes: {} },
  Equal: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  And: comparison,
  Or: comparison,
  Not: { domain: '', inputs: { X: plain }, outputs: ['Y'], attributes: {} },
  IsNaN: { domain: '', inputs: { X: steps }, outputs: ['Y'], attributes: {} },
  // linear algebra
  MatMul: { domain: '', inputs: { A: real, B: real }, outputs: ['Y'], attributes: {} },
  Gemm: {
    domain: '',
    inputs: { A: real, B: real, C: optional },
    outputs: ['Y'],
    attributes: { alpha: one, beta: one, transA: flag, transB: flag },
  },
  FusedMatMul: {
    domain: 'com.microsoft',
    inputs: { A: real, B: real },
    outputs: ['Y'],
    attributes: { alpha: one, transA: flag, transB: flag, transBatchA: flag, transBatchB: flag },
  },
  // attention
  GroupQueryAttention: {
    domain: 'com.microsoft',
    inputs: {
      query: plain,
      key: plain,
      value: plain,
      past_key: optionalPlain,
      past_value: optionalPlain,
      seqlens_k: plain,
      total_sequence_length: plain,
    },
    outputs: ['output', 'present_key', 'present_value'],
    attributes: {
      num_heads: int,
      kv_num_heads: int,
      scale: { type: 'float' },
      local_window_size: { type: 'int', default: -1 },
    },
    namesAll: true,
  },
  // reduction
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  ArgMax: { domain: '', inputs: { data: plain }, outputs: ['reduced'], attributes: { axis: int, keepdims: flagOn } },
  CumSum: { domain: '', inputs: { x: real, axis: plain }, outputs: ['y'], attributes: { exclusive: flag, reverse: flag } },
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  // normalization
  LayerNormalization: {
    domain: '',
    inputs: { X: real, Scale: real, B: optional },
    outputs: ['Y', 'Mean', 'InvStdDev'],
    attributes: { axis: { type: 'int', default: -1 }, epsilon: { type: 'float', default: 1e-5 } },
  },
  SimplifiedLayerNormalization: {
    domain: '',
    inputs: { X: real, scale: real },
    outputs: ['Y', 'inv_std_var'],
    attributes: { axis: { type: 'int', default: -1 }, epsilon: { type: 'float', default: 1e-5 } },
  },
  // movement
  Transpose: { domain: '', inputs: { data: real }, outputs: ['transposed'], attributes: { perm: ints } },
  Reshape: { domain: '', inputs: { data: real, shape: plain }, outputs: ['reshaped'], attributes: {} },
  Squeeze: { domain: '', inputs: { data: real, axes: plain }, outputs: ['squeezed'], attributes: {} },
  Unsqueeze: { domain: '', inputs: { data: real, axes: plain }, outputs: ['expanded'], attributes: {} },
  Expand: { domain: '', inputs: { input: real, shape: plain }, outputs: ['output'], attributes: {} },
  Concat: { domain: '', inputs: { inputs: variadic }, outputs: ['concat_result'], attributes: { axis: int } },
  Split: { domain: '', inputs: { input: real, split: plain }, outputs: 'variadic', attributes: { axis: int } },
  Slice: {
    domain: '',
    inputs: { data: real, starts: plain, ends: plain, axes: plain, steps: optionalPlain },
    outputs: ['output'],
    attributes: {},
  },
  Pad: { domain: '', inputs: { data: real, pads: plain }, outputs: ['output'], attributes: {} },
  Trilu: { domain: '', inputs: { input: real, k: optionalPlain }, outputs: ['output'], attributes: { upper: flagOn } },
  // indexing
  Gather: { domain: '', inputs: { data: real, indices: plain }, outputs: ['output'], attributes: { axis: flag } },
  GatherElements: { domain: '', inputs: { data: real, indices: plain }, outputs: ['output'], attributes: { axis: flag } },
  GatherND: { domain: '', inputs: { data: real, indices: plain }, outputs: ['output'], attributes: {} },
  ScatterElements: {
    domain: '',
    inputs: { data: real, indices: plain, updates: real },
    outputs: ['output'],
    attributes: { axis: flag, reduction },
  },
  ScatterND: { domain: '', inputs: { data: real, indices: plain, updates: real }, outputs: ['output'], attributes: { reduction } },
  // creation
  Shape: { domain: '', inputs: { data: shape }, outputs: ['shape'], attributes: {} },
  Range: { domain: '', inputs: { start: plain, limit: plain, delta: plain }, outputs: ['output'], attributes: {} },
  ConstantOfShape: { domain: '', inputs: { input: plain }, outputs: ['output'], attributes: { value: { type: 'tensor' } } },
} as const satisfies Readonly<Record<string, OpSignature>>;

type Table = typeof opSignatures;

export type OpName = keyof Table;

type Inputs<Op extends OpName> = Table[Op]['inputs'];
type Attributes<Op extends OpName> = Table[Op]['attributes'];

/** The names of an op's inputs of one arity. */
type InputOfArity<Op extends OpName, Arity> = {
  [I in keyof Inputs<Op>]: Inputs<Op>[I] extends { readonly arity: Arity } ? I : never;
}[keyof Inputs<Op>];

export type VariadicInput<Op extends OpName> = InputOfArity<Op, 'variadic'>;

export type RealInput<Op extends OpName> = {
  [I in keyof Inputs<Op>]: Inputs<Op>[I] extends { readonly flow: 'real' } ? I : never;
}[keyof Inputs<Op>];

/** An op's inputs by name, as values of type V. */
export type OpInputs<Op extends OpName, V> = { readonly [I in InputOfArity<Op, 'one'>]: V } & {
  readonly [I in InputOfArity<Op, 'optional'>]?: V | undefined;
} & { readonly [I in InputOfArity<Op, 'variadic'>]: readonly V[] };

type TypeOfAttribute<Spec> = Spec extends { readonly type: infer T extends keyof AttributeTypes } ? AttributeTypes[T] : never;

/** An op's attributes with defaults filled in. */
export type OpAttributes<Op extends OpName> = { readonly [A in keyof Attributes<Op>]: TypeOfAttribute<Attributes<Op>[A]> };

type Defaulted<Op extends OpName> = {
  [A in keyof Attributes<Op>]: Attributes<Op>[A] extends { readonly default: unknown } ? A : never;
}[keyof Attributes<Op>];

/** An op's attributes as a caller gives them: those with a default may be left out. */
export type AttributeArguments<Op extends OpName> = Omit<OpAttributes<Op>, Defaulted<Op>> & Partial<Pick<OpAttributes<Op>, Defaulted<Op>>>;

/** An attribute's value, of any type. */
export type AttributeValue = AttributeTypes[keyof AttributeTypes];

/** The signature of an op, without its literal types, for code that walks any graph. */
export function signatureOf(op: OpName): OpSignature {
  return opSignatures[op];
}

const inputEntries = new Map<string, readonly (readonly [string, InputSpec])[]>(
  Object.entries<OpSignature>(opSignatures).map(([op, { inputs }]) => [op, Object.entries(inputs)]),
);

/** The inputs of an op in the order of its signature, each with its name. */
export function inputsOfOp(op: OpName): readonly (readonly [string, InputSpec])[] {
  return inputEntries.get(op)!;
}

/** The specification's name of an output. */
export function outputName(op: OpName, index: number): string {
  const { outputs } = signatureOf(op);
  return outputs === 'variadic' ? `output${index}` : (outputs[index] ?? `output${index}`);
}
