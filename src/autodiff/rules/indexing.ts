/** VJP rules of gathers and scatters: each is the other's transpose. Repeated indices add up. */
import type { GraphBuilder } from '../../onnx/builder.js';
import type { Shape } from '../../onnx/dim.js';
import type { Value } from '../../onnx/value.js';
import { notDifferentiable, type VjpRules } from '../vjp-rules.js';

const zeros = (g: GraphBuilder, shape: Shape, like: Value): Value => g.fill(shape, 0, like.dtype);

function refuseReduction(op: string, reduction: string): void {
  if (reduction !== 'none' && reduction !== 'add') throw notDifferentiable(op, `reduction "${reduction}" has no rule`);
}

export const indexingRules = {
  Gather: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i
    data: ({ g, ct, data, indices, axis }) => {
      const rank = data.shape.length;
      const along = axis < 0 ? axis + rank : axis;
      const picked = indices.shape.length;
      // The gathered axes go to the front, where ScatterND indexes: [...indices, ...data without the axis]
      const front = [...Array(ct.shape.length).keys()].filter((at) => at >= along && at < along + picked);
      const rest = [...Array(ct.shape.length).keys()].filter((at) => at < along || at >= along + picked);
      const others = data.shape.filter((_, at) => at !== along);
      const updates = g.transpose(ct, [...front, ...rest]);
      const sums = g.scatterND(zeros(g, [data.shape[along]!, ...others], ct), g.unsqueeze(indices, [picked]), updates, 'add');
      // and the one axis of the sums goes back to its place.
      const back = Array.from({ length: rank }, (_, at) => (at === along ? 0 : at < along ? at + 1 : at));
      return g.transpose(sums, back);
    },
  },
  GatherElements: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i
    data: ({ g, ct, data, indices, axis }) => g.scatterElements(zeros(g, data.shape, ct), indices, ct, { axis, reduction: 'add' }),
  },
  GatherND: {
    // x̄[i] = Σ ȳ[j] over the j whose index is i
    data: ({ g, ct, data, indices }) => g.scatterND(zeros(g, data.shape, ct), indices, ct, 'add'),
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
