/** Translators of ops that only move elements, and of those that make values from sizes. */
import { f32, tensor } from '../../../tensor/tensor.js';
import { addDims, type Dim, divideDims, multiplyDims, type Shape, shapeText } from '../dim.js';
import type { Value } from '../value.js';
import { isValue, type NodeContext, type Translators } from './context.js';
import { compareSizes, isNegative } from './sizes.js';

/** An axis counted from the start. */
function axisOf(c: NodeContext, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank) throw c.fail(`axis ${axis} lies outside a value of rank ${rank}`);
  return resolved;
}

function reshape(c: NodeContext): readonly Value[] {
  const data = c.input(0);
  const wanted = c.sizes(1, 'the shape');
  // With allowzero a 0 is a size; no size here is 0 otherwise.
  if (c.int('allowzero', 0) !== 0 && wanted.includes(0)) throw c.unsupported('empty values are not known');
  const copied = wanted.map((dim, axis) => (dim === 0 ? data.shape[axis] : dim));
  if (copied.includes(undefined)) throw c.fail(`the shape copies an axis that ${shapeText(data.shape)} does not have`);
  const dims = copied as readonly Dim[];
  const free = dims.indexOf(-1);
  if (free < 0) return [c.g.reshape(data, dims)];
  const rest = divideDims(multiplyDims(...data.shape), multiplyDims(...dims.filter((_, axis) => axis !== free)));
  if (rest === undefined) throw c.fail(`${shapeText(data.shape)} does not fill ${shapeText(dims)}`);
  return [c.g.reshape(data, dims.with(free, rest))];
}

/** Where an index of Slice lies, clamped to the dimension. */
function bound(c: NodeContext, index: Dim, size: Dim): Dim {
  const at = isNegative(index) ? addDims(size, index) : index;
  const below = compareSizes(at, 0);
  if (below === -1) return 0;
  if (compareSizes(at, size) === 1) return size;
  if (below === undefined && typeof at !== 'number' && typeof index === 'number') return at; // size - n, taken to be inside
  if (typeof at === 'number' && !Number.isSafeInteger(at)) throw c.fail(`index ${at} is no index`);
  return at;
}

function slice(c: NodeContext): readonly Value[] {
  let data = c.input(0);
  const starts = c.sizes(1, 'starts');
  const ends = c.sizes(2, 'ends');
  const axes = c.optional(3) === undefined ? [...starts.keys()] : c.numbers(3, 'axes');
  const steps = c.optional(4) === undefined ? axes.map(() => 1) : c.numbers(4, 'steps');
  if (starts.length !== axes.length || ends.length !== axes.length || steps.length !== axes.length)
    throw c.fail('starts, ends, axes and steps must have one element for each axis');
  axes.forEach((axis, at) => {
    data = sliceAxis(c, data, axisOf(c, axis, data.shape.length), starts[at]!, ends[at]!, steps[at]!);
  });
  return [data];
}

function sliceAxis(c: NodeContext, data: Value, axis: number, start: Dim, end: Dim, step: number): Value {
  const size = data.shape[axis]!;
  if (step === 1) {
    const [from, to] = [bound(c, start, size), bound(c, end, size)];
    return from === 0 && compareSizes(to, size) === 0 ? data : c.g.slice(data, axis, from, to);
  }
  if (typeof size !== 'number' || typeof start !== 'number' || typeof end !== 'number' || step === 0)
    throw c.unsupported(`steps of ${step} are known only along an axis of constant size, between constant indices`);
  const fromStart = (index: number): number => (index < 0 ? index + size : index);
  const picked: number[] = [];
  if (step > 0) for (let at = Math.max(0, fromStart(start)); at < Math.min(size, fromStart(end)); at += step) picked.push(at);
  else for (let at = Math.min(size - 1, fromStart(start)); at > Math.max(-1, fromStart(end)); at += step) picked.push(at);
  const [first] = picked;
  if (first === undefined) throw c.unsupported('empty values are not known');
  if (step > 0 && first < step && size % step === 0 && picked.length === size / step) {
    // Every step-th element: a column of the axis folded in two, cheaper than a gather and its
    // transpose.
    const folded = c.g.reshape(data, [...data.shape.slice(0, axis), size / step, step, ...data.shape.slice(axis + 1)]);
    return c.g.reshape(
      c.g.slice(folded, axis + 1, first, first + 1),
      data.shape.map((dim, at) => (at === axis ? size / step : dim)),
    );
  }
  return c.g.gather(data, c.g.ints(picked), axis);
}

function split(c: NodeContext): readonly Value[] {
  const input = c.input(0);
  const axis = axisOf(c, c.int('axis', 0), input.shape.length);
  if (c.optional(1) !== undefined) return c.g.split(input, c.sizes(1, 'split'), axis);
  const count = c.has('num_outputs') ? c.int('num_outputs') : c.node.output.length;
  const size = input.shape[axis]!;
  if (!(count >= 1 && count <= 1 << 16)) throw c.fail(`expected at least one part, got ${count}`);
  const even = divideDims(size, count);
  if (even !== undefined) return c.g.split(input, Array<Dim>(count).fill(even), axis);
  if (typeof size !== 'number') throw c.unsupported('an axis of run-time size is split only where the parts are equal');
  return c.g.split(input, partSizes(size, Math.ceil(size / count), count), axis);
}

/** `count` parts of a size; the last one is what is left. */
const partSizes = (size: number, part: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => Math.min(part, size - at * part));

/** SplitToSequence by a known size or sizes. */
function splitToSequence(c: NodeContext): readonly { readonly sequence: readonly Value[] }[] {
  const input = c.input(0);
  const axis = axisOf(c, c.int('axis', 0), input.shape.length);
  const size = input.shape[axis]!;
  const given = c.optional(1) === undefined ? [1] : c.sizes(1, 'split');
  const scalar = c.optional(1) === undefined || c.input(1).shape.length === 0;
  let sizes = given;
  if (scalar) {
    const part = given[0];
    if (typeof size !== 'number' || typeof part !== 'number' || part < 1) throw c.unsupported('a sequence of run-time length is not known');
    sizes = partSizes(size, part, Math.ceil(size / part));
  }
  const parts = c.g.split(input, sizes, axis);
  const squeezed = c.optional(1) === undefined && c.int('keepdims', 1) === 0;
  return [{ sequence: squeezed ? parts.map((part) => c.g.squeeze(part, [axis])) : parts }];
}

function sequenceAt(c: NodeContext): readonly Value[] {
  const binding = c.binding(0);
  if (binding === undefined || isValue(binding)) throw c.fail('input 0 must be a sequence');
  const [index] = c.numbers(1, 'the position');
  const found = binding.sequence.at(index ?? Number.NaN);
  if (found === undefined) throw c.fail(`the sequence has ${binding.sequence.length} elements, got position ${index}`);
  return [found];
}

function squeeze(c: NodeContext): readonly Value[] {
  const data = c.input(0);
  const { shape } = data;
  const axes = c.optional(1) === undefined ? [...shape.keys()].filter((axis) => shape[axis] === 1) : c.numbers(1, 'axes');
  const removed = new Set(axes.map((axis) => axisOf(c, axis, shape.length)));
  return [c.g.squeeze(data, [...removed])];
}

/** Repeats whole axes: [d0, d1] as [1, d0, 1, d1], expanded, and joined again. */
function tile(c: NodeContext): readonly Value[] {
  const data = c.input(0);
  const repeats = c.sizes(1, 'repeats');
  if (repeats.length !== data.shape.length) throw c.fail(`expected ${data.shape.length} repeats, got ${repeats.length}`);
  const pairs = data.shape.map((dim, axis): readonly [Dim, Dim] => [repeats[axis]!, dim]);
  const apart = c.g.reshape(
    data,
    pairs.flatMap(([, dim]) => [1, dim]),
  );
  return [
    c.g.reshape(
      c.g.expand(apart, pairs.flat()),
      pairs.map((pair) => multiplyDims(...pair)),
    ),
  ];
}

function pad(c: NodeContext): readonly Value[] {
  const data = c.input(0);
  const rank = data.shape.length;
  const given = c.sizes(1, 'pads');
  const axes = c.optional(3) === undefined ? [...data.shape.keys()] : c.numbers(3, 'axes').map((axis) => axisOf(c, axis, rank));
  const value = c.optional(2) === undefined ? 0 : c.constantNumber(c.input(2));
  if (c.string('mode', 'constant') !== 'constant' || value !== 0) throw c.unsupported('only padding with zeros is known');
  if (given.length !== 2 * axes.length) throw c.fail(`expected ${2 * axes.length} pads, got ${given.length}`);
  if (given.some((dim) => isNegative(dim))) throw c.unsupported('negative padding is not known');
  const side = (offset: number): Shape => data.shape.map((_, axis) => (axes.includes(axis) ? given[axes.indexOf(axis) + offset]! : 0));
  return [c.g.pad(data, side(0), side(axes.length))];
}

/** The dims that a Shape gives, from `start` to `end`. */
function shapeOf(c: NodeContext): readonly Value[] {
  const { shape } = c.input(0);
  return [c.valueOf(shape.slice(c.int('start', 0), c.has('end') ? c.int('end') : shape.length), 1, 'int64')];
}

function range(c: NodeContext): readonly Value[] {
  const { dtype } = c.input(0);
  const [start] = c.sizes(0, 'start');
  const [limit] = c.sizes(1, 'limit');
  const [delta] = c.numbers(2, 'delta');
  if (start === undefined || limit === undefined || delta === undefined || delta === 0)
    throw c.fail('start, limit and delta must be scalars, delta not 0');
  // A last step that is not whole still begins inside.
  const last = typeof start === 'number' && typeof limit === 'number' ? start + Math.ceil((limit - start) / delta) * delta : limit;
  return [c.g.cast(c.g.range(start, last, delta), dtype)];
}

function constantOfShape(c: NodeContext): readonly Value[] {
  const dims = c.sizes(0, 'the shape');
  if (!c.has('value')) return [c.g.fill(dims, 0)];
  const whole = c.whole('value');
  if (whole !== undefined) return [c.g.cast(c.g.fill(dims, whole.number, 'int64'), whole.dtype)];
  const { elements, dtype, bytes } = c.tensor('value');
  if (elements !== 1 || bytes === undefined) throw c.fail('value must hold one element');
  const [real] = dtype === 'float64' ? new Float64Array(bytes.buffer as ArrayBuffer) : new Float32Array(bytes.buffer as ArrayBuffer);
  return [c.g.fill(dims, real!, dtype)];
}

/** `Constant`: a tensor, or numbers as attributes. */
function constant(c: NodeContext): readonly Value[] {
  if (c.has('value')) return [c.constant()];
  const saturated = (value: number): bigint => BigInt(Math.max(-(2 ** 63), Math.min(value, Number.MAX_SAFE_INTEGER)));
  const whole = (values: readonly number[], shape: readonly number[]) =>
    c.g.constant(tensor('int64', shape, BigInt64Array.from(values, saturated)));
  const real = (values: readonly number[], shape: readonly number[]) => c.g.constant(f32(shape, values));
  if (c.has('value_int')) return [whole([c.int('value_int')], [])];
  if (c.has('value_ints')) return [whole(c.ints('value_ints'), [c.ints('value_ints').length])];
  if (c.has('value_float')) return [real([c.float('value_float')], [])];
  if (c.has('value_floats')) return [real(c.floats('value_floats'), [c.floats('value_floats').length])];
  throw c.unsupported('only constants of numbers are known');
}

export const movementOps: Translators = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Shape: shapeOf,
  Size: (c) => [c.valueOf([multiplyDims(...c.input(0).shape)], 0, 'int64')],
  Range: range,
  Reshape: reshape,
  Flatten: (c) => {
    const data = c.input(0);
    const axis = c.int('axis', 1);
    const at = axis < 0 ? axis + data.shape.length : axis;
    return [c.g.reshape(data, [multiplyDims(...data.shape.slice(0, at)), multiplyDims(...data.shape.slice(at))])];
  },
  Transpose: (c) => [c.g.transpose(c.input(0), c.ints('perm', [...c.input(0).shape.keys()].reverse()))],
  Squeeze: squeeze,
  Unsqueeze: (c) => [c.g.unsqueeze(c.input(0), c.numbers(1, 'axes'))],
  Expand: (c) => {
    const input = c.input(0);
    const wanted = c.sizes(1, 'the shape');
    const dims = [...wanted];
    // A 1 keeps the input's size: the two shapes broadcast.
    for (let back = 1; back <= input.shape.length; back++) {
      const at = dims.length - back;
      if (at < 0) dims.unshift(input.shape.at(-back)!);
      else if (dims[at] === 1) dims[at] = input.shape.at(-back)!;
    }
    return [c.g.expand(input, dims)];
  },
  Concat: (c) => [c.g.concat(c.inputs(), c.int('axis'))],
  Split: split,
  SplitToSequence: splitToSequence,
  SequenceAt: sequenceAt,
  Slice: slice,
  Tile: tile,
  Pad: pad,
  Trilu: (c) => {
    const k = c.optional(1) === undefined ? 0 : (c.numbers(1, 'k')[0] ?? 0);
    return [c.g.trilu(c.input(0), c.int('upper', 1) === 0 ? 0 : 1, k)];
  },
  Gather: (c) => [c.g.gather(c.input(0), c.input(1), c.int('axis', 0))],
  GatherElements: (c) => [c.g.gatherElements(c.input(0), c.input(1), c.int('axis', 0))],
  GatherND: (c) => {
    if (c.int('batch_dims', 0) !== 0) throw c.unsupported('batch_dims other than 0 are not known');
    return [c.g.gatherND(c.input(0), c.input(1))];
  },
  ScatterND: (c) => {
    // ONNX Runtime adds on several threads and loses updates of repeated indices.
    if (reductionOf(c) === 'add') throw c.unsupported('reduction "add" is not computed reliably; export it as ScatterElements');
    return [c.g.scatterND(c.input(0), c.input(1), c.input(2))];
  },
  ScatterElements: (c) => [c.g.scatterElements(c.input(0), c.input(1), c.input(2), { axis: c.int('axis', 0), reduction: reductionOf(c) })],
};

function reductionOf(c: NodeContext): 'none' | 'add' {
  const reduction = c.string('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') throw c.unsupported(`reduction "${reduction.slice(0, 40)}" is not known`);
  return reduction;
}
