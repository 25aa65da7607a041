import assert from 'node:assert/strict';
import { vjpRules } from '../../../src/compiler/autodiff/rules.js';
import { unbroadcast, vjp } from '../../../src/compiler/autodiff/vjp.js';
import type { VjpRule } from '../../../src/compiler/autodiff/vjp-rules.js';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { multiplyDims, shapeText, symbol } from '../../../src/compiler/onnx/dim.js';
import { nodesBelow, type Value } from '../../../src/compiler/onnx/value.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { dot, recordCells } from '../../support/gradient-check.js';
import { run } from '../../support/session.js';
import { smallDecoder, smallDecoderFeeds } from '../../support/small-decoder.js';

const [B, S] = [symbol('B'), symbol('S')];

/** The gradient of the sum of an output. */
const gradient = (g: GraphBuilder, output: Value, wrt: readonly Value[]) =>
  vjp(g, { outputs: [output], cotangents: [g.fill(output.shape, 1, output.dtype)], wrt });

describe('the vjp driver', () => {
  it('never calls the cells of frozen weights', () => {
    const { g, output, cotangent, hiddenStates, softPrompt } = smallDecoder(2);
    const cells = new Set<string>();
    vjp(g, { outputs: [output], cotangents: [cotangent], wrt: [hiddenStates, softPrompt], rules: recordCells(cells) });
    assert.ok(cells.has('Gemm.A') && cells.has('LayerNormalization.X'), 'the path is walked');
    for (const frozen of ['Gemm.B', 'Gemm.C', 'LayerNormalization.Scale', 'LayerNormalization.B', 'Where.X', 'Where.Y']) {
      assert.ok(!cells.has(frozen), `${frozen} was called`);
    }
  });

  it('calls the cells of weights that are asked for', () => {
    const { g, output, cotangent, weights } = smallDecoder(1);
    const cells = new Set<string>();
    const grads = vjp(g, { outputs: [output], cotangents: [cotangent], wrt: weights, rules: recordCells(cells) });
    assert.ok(cells.has('Gemm.B') && cells.has('Gemm.C') && cells.has('LayerNormalization.Scale'));
    assert.deepEqual(
      grads.map(({ shape }) => shapeText(shape)),
      weights.map(({ shape }) => shapeText(shape)),
    );
  });

  it('gives the gradient of a decoder with respect to prompt and text', async () => {
    const { g, output, cotangent, hiddenStates, softPrompt } = smallDecoder(2);
    const [hidden, prompt] = vjp(g, { outputs: [output], cotangents: [cotangent], wrt: [hiddenStates, softPrompt] });
    const graph = g.build({ outputs: { output, hidden: hidden!, prompt: prompt! } });
    const feeds = smallDecoderFeeds(2, 3, 2);
    const got = await run(graph, feeds);
    for (const [name, grad] of [
      ['hiddenStates', got.hidden!],
      ['softPrompt', got.prompt!],
    ] as const) {
      assert.deepEqual(grad.shape, feeds[name]!.shape);
      const moved = async (by: number) => {
        const data = Float32Array.from(Array.from(feeds[name]!.data, Number), (value, at) => value + by * Math.cos(at));
        return dot(feeds.cotangent!, (await run(graph, { ...feeds, [name]: f32(grad.shape, data) })).output!);
      };
      const numeric = ((await moved(1e-2)) - (await moved(-1e-2))) / 2e-2;
      const analytic = Array.from(grad.data, Number).reduce((sum, value, at) => sum + value * Math.cos(at), 0);
      assert.ok(Math.abs(numeric - analytic) <= 1e-2 * Math.abs(numeric), `${name}: ${numeric} against ${analytic}`);
    }
  });

  it('sums a cotangent over every axis along which a value was repeated', async () => {
    const g = new GraphBuilder();
    const ct = g.input('ct', 'float32', [B, S, 3]);
    assert.equal(unbroadcast(g, ct, [B, S, 3]), ct);
    const shapes = { row: [3], column: [S, 1], scalar: [], batch: [B, 1, 3], ones: [1, 1, 1] };
    const outputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, unbroadcast(g, ct, shape)]));
    for (const [name, shape] of Object.entries(shapes)) assert.equal(shapeText(outputs[name]!.shape), shapeText(shape));
    const got = await run(g.build({ outputs }), {
      ct: f32(
        [2, 2, 3],
        Array.from({ length: 12 }, (_, at) => at),
      ),
    });
    assert.deepEqual([...got.row!.data], [18, 22, 26]);
    assert.deepEqual([...got.column!.data], [24, 42]);
    assert.deepEqual([...got.scalar!.data], [66]);
    assert.deepEqual([...got.batch!.data], [3, 5, 7, 15, 17, 19]);
    assert.deepEqual([...got.ones!.data], [66]);
  });

  it('knows equal symbolic dimensions however they were written', () => {
    const g = new GraphBuilder();
    const rows = g.input('rows', 'float32', [multiplyDims(S, B), 3]);
    const x = g.input('x', 'float32', [B, S, 3]);
    const [grad] = gradient(g, g.add(g.reshape(x, [multiplyDims(B, S), 3]), rows), [rows]);
    assert.ok(!nodesBelow([grad!]).some((node) => node.kind === 'op' && node.op === 'ReduceSum'));
  });

  it('adds up the cotangents of a value with several users', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const [grad] = gradient(g, g.add(g.mul(x, x), g.mul(x, 3)), [x]);
    assert.deepEqual([...(await run(g.build({ outputs: { grad: grad! } }), { x: f32([2], [1, -2]) })).grad!.data], [5, -1]);
  });

  it('differentiates several outputs, with respect to values in the middle too', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const middle = g.mul(x, 2);
    const outputs = [g.mul(middle, middle), middle];
    const [ofX, ofMiddle] = vjp(g, { outputs, cotangents: [g.fill([2], 1), g.fill([2], 10)], wrt: [x, middle] });
    const got = await run(g.build({ outputs: { ofX: ofX!, ofMiddle: ofMiddle! } }), { x: f32([2], [1, 3]) });
    assert.deepEqual([...got.ofMiddle!.data], [14, 22]);
    assert.deepEqual([...got.ofX!.data], [28, 44]);
  });

  it('gives zeros for a value that no output depends on', async () => {
    const g = new GraphBuilder();
    const [x, unused] = [g.input('x', 'float32', [2]), g.input('unused', 'float32', [B, 2])];
    const [, grad] = gradient(g, g.exp(x), [x, unused]);
    const got = await run(g.build({ outputs: { grad: grad! } }), { unused: f32([2, 2], [1, 2, 3, 4]) });
    assert.deepEqual([...got.grad!.data], [0, 0, 0, 0]);
  });

  it('does not follow a value of which only the shape matters', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [B, 2]);
    const sizes = g.cast(g.shape(g.exp(x)), 'float32');
    const cells = new Set<string>();
    vjp(g, { outputs: [g.mul(x, sizes)], cotangents: [x], wrt: [x], rules: recordCells(cells) });
    assert.deepEqual([...cells], ['Mul.A']);
  });

  it('puts the nodes of the backward pass under the scope of their primal node', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const y = g.scoped('layers.7', () => g.mul(x, 3));
    const { node } = vjp(g, { outputs: [y], cotangents: [g.input('ct', 'float32', [2])], wrt: [x] })[0]!;
    assert.equal(node.kind === 'op' && node.scope, 'vjp/layers.7');
  });

  const refused: readonly (readonly [title: string, make: (g: GraphBuilder, x: Value) => Value, message: RegExp])[] = [
    ['an ArgMax', (g, x) => g.cast(g.argMax(x, 0), 'float32'), /ArgMax#\d+: ArgMax has no gradient with respect to data/],
    ['a comparison', (g, x) => g.where(g.less(x, 0), g.scalar(0), x), /Less#\d+: Less has no gradient with respect to A/],
    ['an index', (g, x) => g.gather(g.fill([3], 1), g.cast(x, 'int64')), /Cast#\d+: int64 values have no gradient/],
    ['an exponent', (g, x) => g.pow(g.scalar(2), x), /Pow#\d+: Pow has no gradient with respect to Y/],
    ['a conversion to whole numbers', (g, x) => g.cast(g.cast(x, 'int64'), 'float32'), /Cast#\d+: int64 values have no gradient/],
    [
      'a scatter that multiplies',
      (g, x) => g.apply('ScatterND', { data: x, indices: g.constant(g1), updates: g.fill([1], 2) }, { reduction: 'mul' }),
      /ScatterND: reduction "mul" has no rule/,
    ],
    [
      'a product with a moved batch',
      (g, x) => g.fusedMatMul(g.reshape(x, [2, 1, 1]), g.fill([2, 1, 1], 1), { transBatchA: 1, transBatchB: 1, transB: 1 }),
      /FusedMatMul: a moved batch has no rule/,
    ],
    [
      'the statistics of a norm',
      (g, x) => g.applyAll('LayerNormalization', { X: x, Scale: g.fill([2], 1) })[1]!,
      /the gradient of its statistics is not known/,
    ],
  ];
  const g1 = { dtype: 'int64', shape: [1, 1], data: BigInt64Array.of(0n) } as const;
  for (const [title, make, message] of refused) {
    it(`refuses a path through ${title}`, () => {
      const g = new GraphBuilder();
      const x = g.input('x', 'float32', [2]);
      assert.throws(() => gradient(g, make(g, x), [x]), { code: 'NOT_DIFFERENTIABLE', message });
    });
  }

  it('refuses cotangents that do not fit and values that are not real', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const n = g.input('n', 'int64', [2]);
    assert.throws(() => vjp(g, { outputs: [x], cotangents: [], wrt: [x] }), {
      code: 'INVALID_GRAPH',
      message: 'vjp: expected 1 cotangents, one per output, got 0',
    });
    assert.throws(() => vjp(g, { outputs: [x], cotangents: [g.fill([3], 1)], wrt: [x] }), {
      code: 'INVALID_SHAPE',
      message: 'vjp: cotangent 0: expected float32 [2], got float32 [3]',
    });
    assert.throws(() => vjp(g, { outputs: [x], cotangents: [x], wrt: [n] }), {
      code: 'NOT_DIFFERENTIABLE',
      message: 'n: int64 values have no gradient',
    });
  });

  it('has a table in which a missing or a wrong cell does not compile', () => {
    // @ts-expect-error: B is missing
    const missing: VjpRule<'MatMul'> = { A: vjpRules.MatMul.A };
    // @ts-expect-error: a variadic cell gives an array
    const single: VjpRule<'Concat'> = { inputs: ({ ct }) => ct };
    assert.ok(missing && single);
  });
});
