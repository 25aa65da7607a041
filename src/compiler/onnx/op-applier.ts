/** The typed way to make a node: inputs and attributes by ONNX's names, checked by the op table. */
import { CutlayerError } from '../../errors.js';
import { NodeTable } from './node-table.js';
import { type AttributeArguments, type AttributeValue, inputsOfOp, type OpInputs, type OpName, signatureOf } from './op-signatures.js';
import type { Value } from './value.js';

/** An op's attributes; the argument may be left out where every attribute has a default. */
type AttributesArgument<Op extends OpName> =
  Record<never, never> extends AttributeArguments<Op> ? [AttributeArguments<Op>?] : [AttributeArguments<Op>];

/** Applies ops to values, inside readable scopes. */
export class OpApplier {
  readonly table = new NodeTable();
  #scope = '';

  /** The prefix of the names of nodes made now: `layers.0/attention`, or empty. */
  get scope(): string {
    return this.#scope;
  }

  /** Makes nodes inside a named scope, nested in the present one. */
  scoped<T>(name: string, make: () => T): T {
    const outer = this.#scope;
    this.#scope = outer === '' ? name : `${outer}/${name}`;
    try {
      return make();
    } finally {
      this.#scope = outer;
    }
  }

  /**
   * The first output of an op, e.g. `g.apply('Gemm', { A, B, C }, { transB: 1 })`.
   * @throws CutlayerError INVALID_SHAPE, INVALID_GRAPH
   */
  apply<Op extends OpName>(op: Op, inputs: OpInputs<Op, Value>, ...attributes: AttributesArgument<Op>): Value {
    return this.applyAll(op, inputs, ...attributes)[0]!;
  }

  applyAll<Op extends OpName>(op: Op, inputs: OpInputs<Op, Value>, ...attributes: AttributesArgument<Op>): readonly Value[] {
    const given: Readonly<Record<string, Value | readonly Value[] | undefined>> = inputs;
    return this.table.operation(op, orderInputs(op, given), completeAttributes(op, attributes[0] ?? {}), this.#scope);
  }
}

/** Inputs in signature order, variadic ones flattened, absent ones at the end dropped. */
function orderInputs(op: OpName, given: Readonly<Record<string, Value | readonly Value[] | undefined>>): readonly (Value | undefined)[] {
  const { inputs } = signatureOf(op);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(inputs, name));
  if (unknown !== undefined) throw new CutlayerError('INVALID_GRAPH', `${op}: has no input "${unknown}"`);
  const ordered: (Value | undefined)[] = [];
  for (const [name, { arity }] of inputsOfOp(op)) {
    const value = given[name];
    if (value === undefined && arity !== 'optional') throw new CutlayerError('INVALID_GRAPH', `${op}: input "${name}" is missing`);
    if (isList(value)) {
      if (value.length === 0) throw new CutlayerError('INVALID_GRAPH', `${op}: input "${name}" holds no value`);
      ordered.push(...value);
    } else ordered.push(value);
  }
  while (ordered.at(-1) === undefined) ordered.pop();
  return ordered;
}

const isList = (value: Value | readonly Value[] | undefined): value is readonly Value[] => Array.isArray(value);

/** The attributes in the order of the signature, with defaults filled in. */
function completeAttributes(op: OpName, given: object): Readonly<Record<string, AttributeValue>> {
  const values = given as Readonly<Record<string, AttributeValue | undefined>>;
  const complete: Record<string, AttributeValue> = {};
  for (const [name, spec] of Object.entries(signatureOf(op).attributes)) {
    const value = values[name] ?? spec.default;
    if (value === undefined) throw new CutlayerError('INVALID_GRAPH', `${op}: attribute "${name}" is missing`);
    complete[name] = value;
  }
  return complete;
}
