/** VJP rules of gathers and scatters: each is the other's transpose. Repeated indices add up. */
import type { GraphBuilder } from '../../onnx/builder.js';
import { multiplyDims, type Shape } from '../../onnx/dim.js';
import type { Value } from '../../onnx/value.js';
import { notDifferentiable, type VjpRules } from '../vjp-rules.js';

const zeros = (g: GraphBuilder, shape: Shape, like: Value): Value => g.fill(shape, 0, like.dtype);

function refuseReduction(op: string, reduction: string): void {
  if (reduction !== 'none' && reduction !== 'add') throw notDifferentiable(op, `reduction "${reduction}" has no rule`);
}

/**
 * Zeros of `shape` with `updates` added along an axis: x[…, indices[j], …] += updates[…, j, …].
 * ONNX Runtime's ScatterND loses updates of repeated indices, because it adds on several threads.
 * Its ScatterElements adds them in order.
 * @param indices int64 [n]
 * @param updates `shape` with n along `axis`
 */
function addRows(g: GraphBuilder, shape: Shape, indices: Value, updates: Value, axis: number): Value {
  const column = updates.shape.map((dim, at) => (at === axis ? dim : 1));
  const everywhere = g.expand(g.reshape(indices, column), updates.shape);
  return g.scatterElements(zeros(g, shape, updates), everywhere, updates, { axis, reduction: 'add' });
}

/** Indices [..., k] into axes of the sizes `dims`, as indices [n] into those axes flattened. */
function flatIndices(g: GraphBuilder, indices: Value, dims: Shape): Value {
  const count = multiplyDims(...indices.shape.slice(0, -1));
  const columns = g.split(g.reshape(indices, [count, dims.length]), Array<number>(dims.length).fill(1), 1);
  return columns
    .map((column, at) => {
      const index = g.reshape(column, [count]);
      const fromStart = g.where(g.less(index, 0), g.add(index, g.dim(dims[at]!)), index);
      return g.mul(fromStart, g.dim(multiplyDims(...dims.slice(at + 1))));
    })
    .reduce((sum, index) => g.add(sum, index));
}

export const indexingRules = {
  Gather: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i; of paired indices, ȳ[inverse of i]
    data: ({ g, ct, data, indices, axis }) => {
      const inverse = axis === 0 && indices.shape.length === 1 ? g.inverseIndices(indices) : undefined;
      if (inverse !== undefined) return g.gather(ct, inverse);
      const along = axis < 0 ? axis + data.shape.length : axis;
      const count = multiplyDims(...indices.shape);
      const rows = data.shape.map((dim, at) => (at === along ? count : dim));
      return addRows(g, data.shape, g.reshape(indices, [count]), g.reshape(ct, rows), along);
    },
  },
  GatherElements: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i
    data: ({ g, ct, data, indices, axis }) => g.scatterElements(zeros(g, data.shape, ct), indices, ct, { axis, reduction: 'add' }),
  },
  GatherND: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i
    data: ({ g, ct, data, indices }) => {
      const picked = indices.shape.at(-1) as number; // its shape rule requires it
      const [dims, rest] = [data.shape.slice(0, picked), data.shape.slice(picked)];
      const flat = flatIndices(g, indices, dims);
      const updates = g.reshape(ct, [flat.shape[0]!, ...rest]);
      return g.reshape(addRows(g, [multiplyDims(...dims), ...rest], flat, updates, 0), data.shape);
    },
  },
  ScatterElements: {
    // x̄ = ȳ, with zeros where an update replaced the data
    data: ({ g, ct, indices, updates, axis, reduction }) => {
      refuseReduction('ScatterElements', reduction);
      return reduction === 'add' ? ct : g.scatterElements(ct, indices, zeros(g, updates.shape, ct), { axis });
    },
    // ū[j] = ȳ[index of j]
    updates: ({ g, ct, indices, axis, reduction }) => {
      refuseReduction('ScatterElements', reduction);
      return g.gatherElements(ct, indices, axis);
    },
  },
  ScatterND: {
    // x̄ = ȳ, with zeros where an update replaced the data
    data: ({ g, ct, indices, updates, reduction }) => {
      refuseReduction('ScatterND', reduction);
      return reduction === 'add' ? ct : g.scatterND(ct, indices, zeros(g, updates.shape, ct));
    },
    // ū[j] = ȳ[index of j]
    updates: ({ g, ct, indices, reduction }) => {
      refuseReduction('ScatterND', reduction);
      return g.gatherND(ct, indices);
    },
  },
} satisfies Partial<VjpRules>;
