/** VJP rules of ops that only move elements. */
import { addDims, type Dim, type Shape, subtractDims } from '../../onnx/dim.js';
import type { Value } from '../../onnx/value.js';
import type { VjpRules } from '../vjp-rules.js';

/** The position of each axis before a transpose. */
const inversePerm = (perm: readonly number[]): readonly number[] => perm.map((_, axis) => perm.indexOf(axis));

/** The elements of a shape-like input, which the shape rules required to be known. */
const known = (value: Value): Shape => value.content ?? [];

/** Where a Slice begins along each axis of its data. */
function sliceStarts(data: Value, starts: Value, axes: Value): Shape {
  const rank = data.shape.length;
  const begins: Dim[] = Array.from({ length: rank }, () => 0);
  known(axes).forEach((axis, at) => {
    const along = (Number(axis) + rank) % rank;
    const start = known(starts)[at]!;
    begins[along] = typeof start === 'number' && start < 0 ? addDims(data.shape[along]!, start) : start;
  });
  return begins;
}

export const movementRules = {
  Transpose: { data: ({ g, ct, perm }) => g.transpose(ct, inversePerm(perm)) }, // x̄ = ȳ, axes back in place
  Reshape: { data: ({ g, ct, data }) => g.reshape(ct, data.shape) }, // x̄ = ȳ in the shape of x
  Squeeze: { data: ({ g, ct, data }) => g.reshape(ct, data.shape) }, // x̄ = ȳ in the shape of x
  Unsqueeze: { data: ({ g, ct, data }) => g.reshape(ct, data.shape) }, // x̄ = ȳ in the shape of x
  Expand: { input: ({ ct }) => ct }, // x̄ = Σ ȳ over the repeats, by the driver
  Concat: {
    // x̄ᵢ = the part of ȳ that came from xᵢ
    inputs: ({ g, ct, inputs, axis }) => {
      const sizes = inputs.map((input) => input.shape.at(axis)!);
      return g.split(ct, sizes, axis);
    },
  },
  Split: {
    // x̄ = the ȳᵢ joined, zeros where an output was not used
    input: ({ g, cts, outputs, axis }) => {
      const parts = outputs.map((output, at) => cts[at] ?? g.fill(output.shape, 0, output.dtype));
      return g.concat(parts, axis);
    },
  },
  Slice: {
    // x̄ = ȳ in its place, zeros around it
    data: ({ g, ct, data, starts, axes }) => {
      const before = sliceStarts(data, starts, axes);
      const after = data.shape.map((dim, axis) => subtractDims(dim, addDims(before[axis]!, ct.shape[axis]!)));
      return g.pad(ct, before, after);
    },
  },
  Pad: {
    // x̄ = ȳ without the border
    data: ({ g, ct, data, pads }) => {
      const before = known(pads).slice(0, data.shape.length);
      return g.apply('Slice', {
        data: ct,
        starts: g.shapeVector(before),
        ends: g.shapeVector(before.map((dim, axis) => addDims(dim, data.shape[axis]!))),
        axes: g.ints(data.shape.map((_, axis) => axis)),
      });
    },
  },
  Trilu: {
    // x̄ = the same triangle of ȳ
    input: ({ g, ct, k, upper }) => g.apply('Trilu', { input: ct, k }, { upper }),
  },
} satisfies Partial<VjpRules>;
