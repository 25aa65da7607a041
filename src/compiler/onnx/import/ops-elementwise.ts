/** Translators of ops that work element by element. */
import type { GraphBuilder } from '../builder.js';
import type { OpName } from '../op-signatures.js';
import type { Value } from '../value.js';
import type { NodeContext, Translator, Translators } from './context.js';

const unary =
  (of: (g: GraphBuilder, x: Value, c: NodeContext) => Value): Translator =>
  (c) => [of(c.g, c.input(0), c)];

const binary =
  (of: (g: GraphBuilder, a: Value, b: Value, c: NodeContext) => Value): Translator =>
  (c) => [of(c.g, c.input(0), c.input(1), c)];

/** Ops that have the same name and meaning in a graph builder, by the inputs that they take. */
const sameOps = (inputs: readonly number[], ops: readonly OpName[]): Translators => {
  const read = (c: NodeContext): readonly Value[] => inputs.map((at) => c.input(at));
  return Object.fromEntries(ops.map((op): [string, Translator] => [op, (c) => c.g.table.operation(op, read(c), {}, c.g.scope)]));
};

const isReal = ({ dtype }: Value): boolean => dtype === 'float32' || dtype === 'float64';

/** Powers that are products or roots become such: they and their derivatives are faster. */
function power(g: GraphBuilder, x: Value, y: Value, c: NodeContext): Value {
  const exponent = y.shape.every((dim) => dim === 1) && y.shape.length <= x.shape.length ? c.constantNumber(y) : undefined;
  switch (exponent) {
    case 0.5:
      return g.sqrt(x);
    case 1:
      return x;
    case 2:
      return g.mul(x, x);
    case 3:
      return g.mul(g.mul(x, x), x);
    case -1:
      return g.reciprocal(x);
    default:
      return g.pow(x, exponent ?? (y.dtype === x.dtype ? y : g.cast(y, x.dtype)));
  }
}

/** `fmod` 0: the remainder has the divisor's sign, a = b floor(a / b) + r; whole numbers only. */
function modulo(g: GraphBuilder, a: Value, b: Value, c: NodeContext): Value {
  const divisor = c.constantNumber(b);
  if (isReal(a) || c.int('fmod', 0) !== 0 || divisor === undefined || divisor < 1)
    throw c.unsupported('only the remainder of whole numbers by a positive constant is known');
  // Div truncates towards zero: a negative number's remainder is negative and gets the divisor
  // added.
  const rest = g.sub(a, g.mul(g.div(a, b), b));
  return g.where(g.less(rest, 0), g.add(rest, b), rest);
}

function clip(c: NodeContext): readonly Value[] {
  const [min, max] = [c.optional(1), c.optional(2)].map((limit) => limit && (limit.shape.length === 0 ? limit : c.g.reshape(limit, [])));
  const input = c.input(0);
  return [min === undefined && max === undefined ? input : c.g.apply('Clip', { input, min, max })];
}

/** log(1 + eˣ), without overflow: max(x, 0) + log(1 + e^−|x|) */
const softplus = (g: GraphBuilder, x: Value): Value => g.add(g.relu(x), g.log(g.add(g.exp(g.neg(g.abs(x))), 1)));

/** ax + b, at least 0 and at most 1. */
const clippedLine = (g: GraphBuilder, x: Value, a: number, b: number): Value =>
  g.apply('Clip', { input: g.add(g.mul(x, a), b), min: g.scalar(0, x.dtype), max: g.scalar(1, x.dtype) });

const sum = (c: NodeContext): Value => c.inputs().reduce((a, b) => c.g.add(a, b));

export const elementwiseOps: Translators = {
  ...sameOps([0, 1], ['Add', 'Sub', 'Mul', 'Div', 'Equal', 'Less', 'LessOrEqual', 'And', 'Or']),
  ...sameOps([0], ['Neg', 'Abs', 'Sqrt', 'Reciprocal', 'Exp', 'Log', 'Sin', 'Cos', 'Tanh', 'Erf', 'Sigmoid', 'Relu', 'Not', 'IsNaN']),
  Mod: binary(modulo),
  Pow: binary(power),
  Sum: (c) => [sum(c)],
  Mean: (c) => [c.g.div(sum(c), c.inputCount)],
  Max: (c) => [c.inputCount === 1 ? c.input(0) : c.g.apply('Max', { data_0: c.inputs() })],
  Min: (c) => [c.inputCount === 1 ? c.input(0) : c.g.apply('Min', { data_0: c.inputs() })],
  LeakyRelu: unary((g, x, c) => g.sub(g.relu(x), g.mul(g.relu(g.neg(x)), c.float('alpha', 0.01)))),
  Elu: unary((g, x, c) => g.add(g.relu(x), g.mul(g.sub(g.exp(g.neg(g.relu(g.neg(x)))), 1), c.float('alpha', 1)))),
  Softplus: unary(softplus),
  Softsign: unary((g, x) => g.div(x, g.add(g.abs(x), 1))),
  Mish: unary((g, x) => g.mul(x, g.tanh(softplus(g, x)))),
  HardSigmoid: unary((g, x, c) => clippedLine(g, x, c.float('alpha', 0.2), c.float('beta', 0.5))),
  HardSwish: unary((g, x) => g.mul(x, clippedLine(g, x, 1 / 6, 0.5))),
  Gelu: unary((g, x, c) => {
    const approximate = c.string('approximate', 'none');
    if (approximate !== 'none' && approximate !== 'tanh')
      throw c.fail(`approximate: expected none or tanh, got "${approximate.slice(0, 40)}"`);
    return g.gelu(x, approximate);
  }),
  Clip: clip,
  Identity: (c) => [c.binding(0) ?? c.input(0)],
  Cast: unary((g, x, c) => g.cast(x, c.dtype(c.int('to')))),
  CastLike: binary((g, x, like) => g.cast(x, like.dtype)),
  Where: (c) => [c.g.where(c.input(0), c.input(1), c.input(2))],
  Greater: binary((g, a, b) => g.less(b, a)),
  GreaterOrEqual: binary((g, a, b) => g.lessOrEqual(b, a)),
  Xor: binary((g, a, b) => g.not(g.equal(a, b))),
  // Inference: nothing is dropped.
  Dropout: (c) => {
    const training = c.optional(2);
    if (training !== undefined && c.constantNumber(training) !== 0)
      throw c.unsupported('dropout in training mode is not known; export in eval mode');
    return [c.input(0)];
  },
};
