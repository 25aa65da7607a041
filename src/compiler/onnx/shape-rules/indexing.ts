/** Shape rules of gathers and scatters. */
import { type Shape, shapesEqual, shapeText } from '../dim.js';
import type { Value } from '../value.js';
import { type Invalid, resolveAxis, type ShapeRules, sameDType } from './context.js';

function expectIndices(indices: Value, invalid: Invalid): void {
  if (indices.dtype !== 'int64' && indices.dtype !== 'int32') throw invalid(`indices must be int64 or int32, got ${indices.dtype}`);
}

/** The part of data's shape that each index tuple of a GatherND or ScatterND selects. */
function selectedShape(data: Value, indices: Value, invalid: Invalid): Shape {
  expectIndices(indices, invalid);
  const depth = indices.shape.at(-1);
  if (typeof depth !== 'number' || depth < 1 || depth > data.shape.length) {
    throw invalid(`indices ${shapeText(indices.shape)} must end in the number of axes that they index in data ${shapeText(data.shape)}`);
  }
  return [...indices.shape.slice(0, -1), ...data.shape.slice(depth)];
}

export const indexingShapes = {
  Gather: ({ data, indices, axis, invalid }) => {
    expectIndices(indices, invalid);
    const along = resolveAxis(axis, data.shape.length, invalid);
    const shape = [...data.shape.slice(0, along), ...indices.shape, ...data.shape.slice(along + 1)];
    const at = indices.content?.[0];
    const picked = along === 0 && indices.content?.length === 1 && typeof at === 'number' ? data.content?.at(at) : undefined;
    return [{ dtype: data.dtype, shape, ...(picked === undefined ? {} : { content: [picked] }) }];
  },
  GatherElements: ({ data, indices, axis, invalid }) => {
    expectIndices(indices, invalid);
    resolveAxis(axis, data.shape.length, invalid);
    if (indices.shape.length !== data.shape.length) {
      throw invalid(`indices ${shapeText(indices.shape)} must have the rank of data ${shapeText(data.shape)}`);
    }
    return [{ dtype: data.dtype, shape: indices.shape }];
  },
  GatherND: ({ data, indices, invalid }) => [{ dtype: data.dtype, shape: selectedShape(data, indices, invalid) }],
  ScatterElements: ({ data, indices, updates, axis, invalid }) => {
    expectIndices(indices, invalid);
    const dtype = sameDType({ data, updates }, invalid);
    resolveAxis(axis, data.shape.length, invalid);
    if (!shapesEqual(indices.shape, updates.shape) || indices.shape.length !== data.shape.length) {
      throw invalid(
        `updates ${shapeText(updates.shape)}, indices ${shapeText(indices.shape)} and data ${shapeText(data.shape)} do not fit`,
      );
    }
    return [{ dtype, shape: data.shape }];
  },
  ScatterND: ({ data, indices, updates, invalid }) => {
    const dtype = sameDType({ data, updates }, invalid);
    const wanted = selectedShape(data, indices, invalid);
    if (!shapesEqual(wanted, updates.shape)) throw invalid(`updates: expected ${shapeText(wanted)}, got ${shapeText(updates.shape)}`);
    return [{ dtype, shape: data.shape }];
  },
} satisfies Partial<ShapeRules>;
