import assert from 'node:assert/strict';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { multiplyDims, shapeText, symbol } from '../../../src/compiler/onnx/dim.js';
import { type OpName, opSignatures } from '../../../src/compiler/onnx/op-signatures.js';
import { shapeRules } from '../../../src/compiler/onnx/shape-rules.js';
import type { Value } from '../../../src/compiler/onnx/value.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { gradientCases } from '../../support/gradient-cases.js';
import { seeded, uniform } from '../../support/random.js';
import { run } from '../../support/session.js';

const B = symbol('B');
const S = symbol('S');

/** Wrong arguments, and what the message must say about them. */
const refused: readonly (readonly [title: string, make: (g: GraphBuilder) => unknown, message: RegExp])[] = [
  ['a sum of unequal dimensions', (g) => g.add(x(g, 2, 3), x(g, 2, 4)), /Add#\d+: \[2, 3\] and \[2, 4\] do not broadcast: 3 against 4/],
  ['a sum of different symbols', (g) => g.add(g.input('a', 'float32', [B]), g.input('b', 'float32', [S])), /B against S/],
  ['a sum of different types', (g) => g.add(x(g, 2), g.ints([1, 2])), /A is float32 but B is int64/],
  ['a product with unequal inner dimensions', (g) => g.matMul(x(g, 2, 3), x(g, 4, 5)), /inner dimension of B: expected 3, got 4/],
  ['a product of a vector', (g) => g.matMul(x(g, 3), x(g, 3, 5)), /A must have at least 2 dimensions, got \[3\]/],
  ['a transposed product that only fits untransposed', (g) => g.fusedMatMul(x(g, 2, 3), x(g, 3, 5), { transB: 1 }), /expected 3, got 5/],
  [
    'a product whose batch only fits unmoved',
    (g) => g.fusedMatMul(x(g, 2, 5, 3), x(g, 2, 3, 4), { transBatchA: 1 }),
    /\[5, ?\] and \[2\] do not broadcast|5 against 2/,
  ],
  ['a Gemm of batches', (g) => g.gemm({ A: x(g, 2, 2, 3), B: x(g, 3, 5) }), /A and B must be matrices, got \[2, 2, 3\] and \[3, 5\]/],
  ['a Gemm whose bias is too long', (g) => g.gemm({ A: x(g, 2, 3), B: x(g, 3, 5), C: x(g, 6) }), /\[2, 5\] and \[6\] do not broadcast/],
  [
    'a Gemm whose bias would enlarge the product',
    (g) => g.gemm({ A: x(g, 1, 3), B: x(g, 3, 5), C: x(g, 4, 5) }),
    /axis 0: expected 1, got 4/,
  ],
  ['a reshape to another number of elements', (g) => g.reshape(x(g, 2, 3), [4, 2]), /\[2, 3\] of 6 elements does not fill \[4, 2\]/],
  ['a reshape that mixes up symbols', (g) => g.reshape(g.input('a', 'float32', [B, 4]), [S, 4]), /of 4\*B elements does not fill \[S, 4\]/],
  ['a reshape that does not divide', (g) => g.apply('Reshape', { data: x(g, 2, 3), shape: g.ints([4, -1]) }), /does not fill/],
  [
    'a reshape to a shape known only at run time',
    (g) => g.apply('Reshape', { data: x(g, 4), shape: g.input('s', 'int64', [2]) }),
    /shape must be known/,
  ],
  ['a transpose with a repeated axis', (g) => g.transpose(x(g, 2, 3), [1, 1]), /perm \[1, 1\] is no permutation of the axes of \[2, 3\]/],
  ['a squeeze of a long axis', (g) => g.squeeze(x(g, 2, 3), [0]), /axis 0 of \[2, 3\]: expected 1, got 2/],
  ['an axis outside the rank', (g) => g.softmax(x(g, 2, 3), 2), /axis 2 is outside a value of rank 2/],
  ['a reduction over no axis', (g) => g.apply('ReduceSum', { data: x(g, 2), axes: g.ints([]) }), /axes must name at least one axis/],
  ['an expand to a smaller shape', (g) => g.expand(x(g, 2, 3), [2, 2]), /\[2, 3\] and \[2, 2\] do not broadcast/],
  ['a concat of unequal rows', (g) => g.concat([x(g, 2, 3), x(g, 2, 4)], 0), /\[2, 3\] and \[2, 4\] do not join along axis 0/],
  ['a split that does not add up', (g) => g.split(x(g, 6), [2, 3], 0), /sum of split \[2, 3\] along axis 0: expected 6, got 5/],
  ['a slice outside the axis', (g) => g.slice(x(g, 4), 0, 1, 6), /index 6 is outside a dimension of 4/],
  ['a slice that ends before it starts', (g) => g.slice(x(g, 4), 0, 3, 1), /axis 0: end 1 lies before start 3/],
  [
    'a pad with too few sides',
    (g) => g.apply('Pad', { data: x(g, 2, 3), pads: g.ints([1, 1]) }),
    /number of pads for \[2, 3\]: expected 4, got 2/,
  ],
  ['a gather by real indices', (g) => g.gather(x(g, 4), x(g, 2)), /indices must be int64 or int32, got float32/],
  ['a gather of elements by indices of another rank', (g) => g.gatherElements(x(g, 4, 2), g.ints([0])), /must have the rank of data/],
  [
    'a scatter of rows of another width',
    (g) => g.scatterND(x(g, 4, 3), g.unsqueeze(g.ints([1]), [1]), x(g, 1, 2)),
    /updates: expected \[1, 3\], got \[1, 2\]/,
  ],
  ['a choice by a condition that is not bool', (g) => g.where(g.ints([1, 0]), x(g, 2), x(g, 2)), /condition must be bool, got int64/],
  [
    'a norm with a scale of another width',
    (g) => g.layerNormalization({ X: x(g, 2, 3), Scale: x(g, 4) }),
    /Scale: expected \[3\], got \[4\]/,
  ],
  [
    'an rms norm with a scale of another width',
    (g) => g.simplifiedLayerNormalization({ X: x(g, 2, 3), scale: x(g, 2) }),
    /scale: expected \[3\], got \[2\]/,
  ],
  [
    'fused attention whose keys are of other sequences',
    (g) =>
      g.apply(
        'GroupQueryAttention',
        { query: x(g, 2, 5, 32), key: x(g, 2, 6, 16), value: x(g, 2, 6, 16), ...lengths(g, 2) },
        { num_heads: 4, kv_num_heads: 2, scale: 1 },
      ),
    /key: expected \[2, 5, 16\], got \[2, 6, 16\]/,
  ],
  [
    'fused attention with lengths of other sequences',
    (g) =>
      g.apply(
        'GroupQueryAttention',
        { query: x(g, 2, 5, 32), key: x(g, 2, 5, 16), value: x(g, 2, 5, 16), ...lengths(g, 3) },
        { num_heads: 4, kv_num_heads: 2, scale: 1 },
      ),
    /seqlens_k, one of each sequence: expected 2, got 3/,
  ],
  ['a triangle of a vector', (g) => g.trilu(x(g, 3), 1), /input must have at least 2 dimensions, got \[3\]/],
  ['a range with a broken last step', (g) => g.range(0, 5, 2), /whole number of steps/],
  [
    'a gelu of an unknown kind',
    (g) => g.apply('Gelu', { X: x(g, 3) }, { approximate: 'erf' }),
    /approximate must be "none" or "tanh", got "erf"/,
  ],
];

const lengths = (g: GraphBuilder, batch: number): { readonly seqlens_k: Value; readonly total_sequence_length: Value } => ({
  seqlens_k: g.input('lengths', 'int32', [batch]),
  total_sequence_length: g.scalar(5, 'int32'),
});

function x(g: GraphBuilder, ...shape: readonly number[]): Value {
  return g.input(`x${shape.join('x')}`, 'float32', shape);
}

describe('shape rules', () => {
  it('exist for exactly the ops of the op table', () => {
    assert.deepEqual(Object.keys(shapeRules).sort(), Object.keys(opSignatures).sort());
  });

  for (const [title, make, message] of refused) {
    it(`refuse ${title}`, () => {
      const g = new GraphBuilder();
      assert.throws(
        () => g.scoped('layers.3', () => make(g)),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'INVALID_SHAPE');
          assert.match(error.message, message);
          assert.match(error.message, /^layers\.3\//, 'the message names the node');
          return true;
        },
      );
    });
  }

  it('infer the shapes that ONNX Runtime computes, for every row of the gradient table', async () => {
    for (const [op, cases] of Object.entries(gradientCases) as [OpName, (typeof gradientCases)[OpName]][]) {
      if (cases === 'nondifferentiable') continue;
      for (const { title, inputs, outputs, dtype = 'float64' } of cases) {
        const g = new GraphBuilder();
        const made = outputs(g, ...inputs.map(({ shape }, at) => g.input(`x${at}`, dtype, shape)));
        const ys = 'dtype' in made ? [made] : made;
        const feeds = Object.fromEntries(
          inputs.map(({ shape, low, high }, at) => [`x${at}`, uniform(dtype, shape, seeded(at), low, high)]),
        );
        const got = await run(g.build({ outputs: Object.fromEntries(ys.map((y, at) => [`y${at}`, y])) }), feeds);
        for (const [at, y] of ys.entries()) assert.deepEqual([...got[`y${at}`]!.shape], [...y.shape], `${op} ${title}`);
      }
    }
  });

  it('infer the shapes and types of ops without gradients', async () => {
    const g = new GraphBuilder();
    const data = g.input('data', 'float32', [B, S, 2]);
    const outputs = {
      shape: g.shape(data),
      argMax: g.argMax(data, 1, 0),
      equal: g.cast(g.equal(data, 1), 'int32'),
      lessOrEqual: g.cast(g.lessOrEqual(g.range(0, S), g.unsqueeze(g.range(0, S), [1])), 'int32'),
      fill: g.fill([multiplyDims(B, S), 3], 7, 'int64'),
      steps: g.range(1, 7, 3),
    };
    assert.deepEqual(
      Object.values(outputs).map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`),
      ['int64 [3]', 'int64 [B, 2]', 'int32 [B, S, 2]', 'int32 [S, S]', 'int64 [B*S, 3]', 'int64 [2]'],
    );
    const got = await run(g.build({ outputs }), { data: f32([2, 2, 2], [0, 1, 2, 0, 5, 6, 1, 8]) });
    assert.deepEqual([...got.shape!.data], [2n, 2n, 2n]);
    assert.deepEqual([...got.argMax!.data], [1n, 0n, 0n, 1n]);
    assert.deepEqual([...got.equal!.data], [0, 1, 0, 0, 0, 0, 1, 0]);
    assert.deepEqual([...got.lessOrEqual!.data], [1, 0, 1, 1]);
    assert.deepEqual([...got.fill!.data], Array(12).fill(7n));
    assert.deepEqual([...got.steps!.data], [1n, 4n]);
  });
});
