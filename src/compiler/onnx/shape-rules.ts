/** The shape rule of every op: from types of inputs and attributes to types of outputs. */
import { CutlayerError } from '../../errors.js';
import { shapeText } from './dim.js';
import { type AttributeValue, inputsOfOp, type OpName } from './op-signatures.js';
import { attentionShapes } from './shape-rules/attention.js';
import type { ShapeContext, ShapeRules } from './shape-rules/context.js';
import { creationShapes } from './shape-rules/creation.js';
import { elementwiseShapes } from './shape-rules/elementwise.js';
import { indexingShapes } from './shape-rules/indexing.js';
import { linalgShapes } from './shape-rules/linalg.js';
import { movementShapes } from './shape-rules/movement.js';
import { normalizationShapes } from './shape-rules/normalization.js';
import { reductionShapes } from './shape-rules/reduction.js';
import type { Value, ValueType } from './value.js';

export const shapeRules: ShapeRules = {
  ...elementwiseShapes,
  ...linalgShapes,
  ...attentionShapes,
  ...reductionShapes,
  ...normalizationShapes,
  ...movementShapes,
  ...indexingShapes,
  ...creationShapes,
};

/** An op's inputs by name; a variadic input is an array. */
export type NamedInputs = Readonly<Record<string, Value | readonly Value[] | undefined>>;

/** The inputs of a node, given in the order of its signature, by name. */
export function nameInputs(op: OpName, inputs: readonly (Value | undefined)[]): NamedInputs {
  const named: Record<string, Value | readonly Value[] | undefined> = {};
  for (const [at, [name, { arity }]] of inputsOfOp(op).entries()) {
    named[name] = arity === 'variadic' ? inputs.slice(at).filter((input) => input !== undefined) : inputs[at];
  }
  return named;
}

/**
 * The types of an op's outputs.
 * @param where gives the node's name in messages
 * @throws CutlayerError INVALID_SHAPE naming the node, the shapes wanted and the shapes that came
 */
export function inferTypes<Op extends OpName>(
  op: Op,
  inputs: readonly (Value | undefined)[],
  attributes: Readonly<Record<string, AttributeValue>>,
  where: () => string,
): readonly ValueType[] {
  const named = nameInputs(op, inputs);
  const invalid = (why: string): CutlayerError => {
    const node = where();
    const shapes = inputs.map((input) => (input === undefined ? '-' : shapeText(input.shape))).join(' ');
    return new CutlayerError('INVALID_SHAPE', `${node}: ${why}`, { details: { op, node, shapes } });
  };
  // The inputs and attributes come from this op's signature, from which ShapeContext<Op> is
  // derived.
  return shapeRules[op]({ ...named, ...attributes, invalid } as unknown as ShapeContext<Op>);
}
