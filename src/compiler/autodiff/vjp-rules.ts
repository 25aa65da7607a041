/** The VJP rule table's type: a cell per input with a gradient; a missing one does not compile. */
import { CutlayerError } from '../../errors.js';
import type { GraphBuilder } from '../onnx/builder.js';
import type { OpAttributes, OpInputs, OpName, RealInput, VariadicInput } from '../onnx/op-signatures.js';
import type { Value } from '../onnx/value.js';

/** What a cell is given beside the primal node's inputs and attributes. */
interface VjpFrame {
  readonly g: GraphBuilder;
  /** The cotangent of the first output; zeros when only other outputs have one. */
  readonly ct: Value;
  /** The cotangent of each output, undefined where it is zero. */
  readonly cts: readonly (Value | undefined)[];
  readonly y: Value;
  readonly outputs: readonly Value[];
}

/** Inputs, attributes and outputs of one primal node, and the cotangents of its outputs. */
export type VjpContext<Op extends OpName> = VjpFrame & OpInputs<Op, Value> & OpAttributes<Op>;

/** A variadic input's cell gives the cotangents of all its values. */
type Cell<Op extends OpName, I> = (context: VjpContext<Op>) => I extends VariadicInput<Op> ? readonly Value[] : Value;

/** The cells of one op. A cell need not sum over broadcast axes: the driver does. */
export type VjpRule<Op extends OpName> = { readonly [I in RealInput<Op>]: Cell<Op, I> };

export type VjpRules = { readonly [Op in OpName]: VjpRule<Op> };

/** The error of a gradient that does not exist or is not implemented. */
export function notDifferentiable(where: string, why: string): CutlayerError {
  return new CutlayerError('NOT_DIFFERENTIABLE', `${where}: ${why}`, { details: { node: where } });
}
