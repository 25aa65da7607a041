/** What a shape rule is given, and the shared arithmetic on axes and broadcasts. */
import type { CutlayerError } from '../../../errors.js';
import type { DType } from '../../../tensor/dtype.js';
import { type Dim, dimsEqual, dimText, type Shape, shapeText } from '../dim.js';
import type { OpAttributes, OpInputs, OpName } from '../op-signatures.js';
import type { Value, ValueType } from '../value.js';

/** Makes the error of a node whose arguments do not fit; the caller throws it. */
export type Invalid = (why: string) => CutlayerError;

/** An op's inputs and attributes by name, and the error to throw for invalid ones. */
export type ShapeContext<Op extends OpName> = OpInputs<Op, Value> & OpAttributes<Op> & { readonly invalid: Invalid };

export type ShapeRule<Op extends OpName> = (context: ShapeContext<Op>) => readonly ValueType[];

/** A rule for every op in the table: a missing one does not compile. */
export type ShapeRules = { readonly [Op in OpName]: ShapeRule<Op> };

/** A negative axis counted from the end, checked against the rank. */
export function resolveAxis(axis: number, rank: number, invalid: Invalid): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) throw invalid(`axis ${axis} is outside a value of rank ${rank}`);
  return resolved;
}

/** The elements of an int64 input that must be known while building. */
export function contentOf(value: Value, name: string, invalid: Invalid): readonly Dim[] {
  if (value.content === undefined) throw invalid(`${name} must be known while building: a constant, or made of dimensions`);
  return value.content;
}

/** As {@link contentOf}, where every element must be a number. */
export function numbersOf(value: Value, name: string, invalid: Invalid): readonly number[] {
  return contentOf(value, name, invalid).map((dim) => {
    if (typeof dim !== 'number') throw invalid(`${name} must be numbers, got ${dimText(dim)}`);
    return dim;
  });
}

/** The shape of a broadcast of two shapes; a symbolic dimension only meets itself or 1. */
export function broadcastShapes(a: Shape, b: Shape, invalid: Invalid): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (dimsEqual(left, right) || right === 1) return left;
    if (left === 1) return right;
    throw invalid(`${shapeText(a)} and ${shapeText(b)} do not broadcast: ${dimText(left)} against ${dimText(right)}`);
  });
}

/** The one element type of the given values. */
export function sameDType(values: Readonly<Record<string, Pick<Value, 'dtype'> | undefined>>, invalid: Invalid): DType {
  const present = Object.entries(values).filter((entry): entry is [string, Pick<Value, 'dtype'>] => entry[1] !== undefined);
  const [first] = present;
  if (first === undefined) throw invalid('expected at least one input');
  for (const [name, value] of present) {
    if (value.dtype !== first[1].dtype) throw invalid(`${first[0]} is ${first[1].dtype} but ${name} is ${value.dtype}`);
  }
  return first[1].dtype;
}

export function expectDim(wanted: Dim, got: Dim, what: string, invalid: Invalid): void {
  if (!dimsEqual(wanted, got)) throw invalid(`${what}: expected ${dimText(wanted)}, got ${dimText(got)}`);
}
