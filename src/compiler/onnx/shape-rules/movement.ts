/** Shape rules of ops that only move elements. */
import { addDims, type Dim, dimsEqual, dimText, divideDims, multiplyDims, type Shape, shapeText, subtractDims } from '../dim.js';
import type { Value } from '../value.js';
import { broadcastShapes, contentOf, expectDim, type Invalid, numbersOf, resolveAxis, type ShapeRules, sameDType } from './context.js';

/** The content after a change of shape that keeps the order of elements. */
const keepContent = (value: Value) => (value.content === undefined ? {} : { content: value.content });

/** The shape that a Reshape's 0 (copy) and -1 (the rest) stand for. */
function resolveReshape(from: Shape, wanted: readonly Dim[], invalid: Invalid): Shape {
  const copied = wanted.map((dim, axis) => {
    if (dim !== 0) return dim;
    const dimension = from[axis];
    if (dimension === undefined) throw invalid(`shape copies axis ${axis}, but data is ${shapeText(from)}`);
    return dimension;
  });
  const total = multiplyDims(...from);
  const known = multiplyDims(...copied.filter((dim) => dim !== -1));
  const free = copied.filter((dim) => dim === -1).length;
  const rest = divideDims(total, known);
  if (free > 1 || rest === undefined || (free === 0 && rest !== 1)) {
    throw invalid(`${shapeText(from)} of ${dimText(total)} elements does not fill ${shapeText(copied)}`);
  }
  return copied.map((dim) => (dim === -1 ? rest : dim));
}

function insertAxes(shape: Shape, axes: readonly number[], invalid: Invalid): Shape {
  const rank = shape.length + axes.length;
  const inserted = new Set(axes.map((axis) => resolveAxis(axis, rank, invalid)));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (inserted.has(axis) ? 1 : rest.shift()!));
}

/** An index of a Slice, counted from the start and clamped to the dimension. */
function clampIndex(index: Dim, size: Dim, invalid: Invalid): Dim {
  if (typeof index === 'number' && index >= 2 ** 31 - 1) return size;
  const fromStart = typeof index === 'number' && index < 0 ? addDims(size, index) : index;
  if (typeof fromStart === 'number' && typeof size === 'number') {
    if (fromStart < 0 || fromStart > size) throw invalid(`index ${dimText(index)} is outside a dimension of ${size}`);
  }
  return fromStart;
}

export const movementShapes = {
  Transpose: ({ data, perm, invalid }) => {
    const sorted = [...perm].sort((a, b) => a - b);
    if (perm.length !== data.shape.length || !sorted.every((axis, at) => axis === at)) {
      throw invalid(`perm [${perm.join(', ')}] is no permutation of the axes of ${shapeText(data.shape)}`);
    }
    return [{ dtype: data.dtype, shape: perm.map((axis) => data.shape[axis]!) }];
  },
  Reshape: ({ data, shape, invalid }) => [
    { dtype: data.dtype, shape: resolveReshape(data.shape, contentOf(shape, 'shape', invalid), invalid), ...keepContent(data) },
  ],
  Squeeze: ({ data, axes, invalid }) => {
    const removed = new Set(numbersOf(axes, 'axes', invalid).map((axis) => resolveAxis(axis, data.shape.length, invalid)));
    for (const axis of removed) expectDim(1, data.shape[axis]!, `axis ${axis} of ${shapeText(data.shape)}`, invalid);
    return [{ dtype: data.dtype, shape: data.shape.filter((_, axis) => !removed.has(axis)), ...keepContent(data) }];
  },
  Unsqueeze: ({ data, axes, invalid }) => [
    { dtype: data.dtype, shape: insertAxes(data.shape, numbersOf(axes, 'axes', invalid), invalid), ...keepContent(data) },
  ],
  Expand: ({ input, shape, invalid }) => [
    { dtype: input.dtype, shape: broadcastShapes(input.shape, contentOf(shape, 'shape', invalid), invalid) },
  ],
  Concat: ({ inputs, axis, invalid }) => {
    const dtype = sameDType(Object.fromEntries(inputs.map((input, at) => [`inputs[${at}]`, input])), invalid);
    const first = inputs[0]!.shape;
    const along = resolveAxis(axis, first.length, invalid);
    for (const { shape } of inputs) {
      if (shape.length !== first.length || !shape.every((dim, at) => at === along || dimsEqual(dim, first[at]!))) {
        throw invalid(`${shapeText(first)} and ${shapeText(shape)} do not join along axis ${along}`);
      }
    }
    const joined = addDims(...inputs.map((input) => input.shape[along]!));
    const contents = inputs.map((input) => input.content);
    const content = contents.every((known) => known !== undefined) ? { content: contents.flat() } : {};
    return [{ dtype, shape: first.map((dim, at) => (at === along ? joined : dim)), ...content }];
  },
  Split: ({ input, split, axis, invalid }) => {
    const along = resolveAxis(axis, input.shape.length, invalid);
    const sizes = contentOf(split, 'split', invalid);
    expectDim(input.shape[along]!, addDims(...sizes), `sum of split ${shapeText(sizes)} along axis ${along}`, invalid);
    return sizes.map((size) => ({ dtype: input.dtype, shape: input.shape.map((dim, at) => (at === along ? size : dim)) }));
  },
  Slice: ({ data, starts, ends, axes, steps, invalid }) => {
    const from = contentOf(starts, 'starts', invalid);
    const to = contentOf(ends, 'ends', invalid);
    if (steps !== undefined && numbersOf(steps, 'steps', invalid).some((step) => step !== 1)) throw invalid('only steps of 1 are known');
    const shape = [...data.shape];
    numbersOf(axes, 'axes', invalid).forEach((axis, at) => {
      const along = resolveAxis(axis, shape.length, invalid);
      const size = shape[along]!;
      const length = subtractDims(clampIndex(to[at]!, size, invalid), clampIndex(from[at]!, size, invalid));
      if (typeof length === 'number' && length < 0)
        throw invalid(`axis ${along}: end ${dimText(to[at]!)} lies before start ${dimText(from[at]!)}`);
      shape[along] = length;
    });
    return [{ dtype: data.dtype, shape }];
  },
  Pad: ({ data, pads, invalid }) => {
    const amounts = contentOf(pads, 'pads', invalid);
    const rank = data.shape.length;
    expectDim(2 * rank, amounts.length, `number of pads for ${shapeText(data.shape)}`, invalid);
    return [{ dtype: data.dtype, shape: data.shape.map((dim, axis) => addDims(dim, amounts[axis]!, amounts[axis + rank]!)) }];
  },
  Trilu: ({ input, invalid }) => {
    if (input.shape.length < 2) throw invalid(`input must have at least 2 dimensions, got ${shapeText(input.shape)}`);
    return [{ dtype: input.dtype, shape: input.shape }];
  },
} satisfies Partial<ShapeRules>;
