import assert from 'node:assert/strict';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { addDims, dimText, multiplyDims, shapeText, symbol } from '../../../src/compiler/onnx/dim.js';
import { f32, tensor } from '../../../src/tensor/tensor.js';
import { run } from '../../support/session.js';

const [B, S, P] = [symbol('B'), symbol('S'), symbol('P')];

describe('the graph builder', () => {
  it('makes the same value of the same op, inputs and attributes', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [B, 4]);
    const w = g.weight('w', 'float32', [4, 4]);
    const row = g.weight('row', 'float32', [4]);
    assert.equal(g.gemm({ A: x, B: w }), g.gemm({ A: x, B: w }, { transB: 0 }));
    assert.notEqual(g.gemm({ A: x, B: w }), g.gemm({ A: x, B: w }, { transB: 1 }));
    assert.notEqual(g.sub(x, row), g.sub(row, x));
    assert.equal(g.mul(x, 2), g.mul(x, 2));
    assert.equal(g.input('x', 'float32', [B, 4]), x);
    assert.equal(g.constant(f32([2], [1, 2])), g.constant(f32([2], [1, 2])));
    assert.notEqual(g.constant(f32([2], [1, 2])), g.constant(f32([1, 2], [1, 2])));
  });

  it('keeps values immutable', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    assert.throws(() => Object.assign(x, { dtype: 'int64' }), TypeError);
    assert.throws(() => Object.assign(x.node, { name: 'y' }), TypeError);
  });

  it('emits nothing for movements that change nothing', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [B, 4]);
    assert.equal(g.reshape(x, [B, 4]), x);
    assert.equal(g.transpose(x, [0, 1]), x);
    assert.equal(g.expand(x, [B, 4]), x);
    assert.equal(g.cast(x, 'float32'), x);
    assert.equal(g.concat([x], 0), x);
    assert.equal(g.reduceSum(x, []), x);
  });

  it('computes the run-time size of any dimension, once for the whole graph', async () => {
    const g = new GraphBuilder();
    const hidden = g.input('hidden', 'float32', [B, S, 2]);
    const prompt = g.input('prompt', 'float32', [P, 2]);
    const rows = addDims(P, multiplyDims(B, S));
    const graph = g.build({
      outputs: { rows: g.dim(rows), twice: g.mul(g.dim(rows), 2), shape: g.shapeVector([B, 7, rows]), less: g.dim(addDims(rows, -3)) },
      inputs: [hidden, prompt],
    });
    assert.equal(graph.ops.filter(({ op }) => op === 'Mul').length, 2, 'B*S, and the doubling');
    const got = await run(graph, { hidden: f32([2, 3, 2], Array(12).fill(0)), prompt: f32([5, 2], Array(10).fill(0)) });
    assert.deepEqual([...got.rows!.data], [11n]);
    assert.deepEqual([...got.twice!.data], [22n]);
    assert.deepEqual([...got.shape!.data], [2n, 7n, 11n]);
    assert.deepEqual([...got.less!.data], [8n]);
  });

  it('reshapes to symbolic dimensions that no single -1 could say', async () => {
    const g = new GraphBuilder();
    const prompt = g.input('prompt', 'float32', [P, 4]);
    const hidden = g.input('hidden', 'float32', [B, S, 4]);
    const rows = g.concat([prompt, g.reshape(hidden, [multiplyDims(B, S), 4])], 0);
    assert.equal(shapeText(rows.shape), '[B*S+P, 4]');
    const [first, text] = g.split(g.reshape(rows, [rows.shape[0]!, 2, 2]), [P, multiplyDims(B, S)], 0);
    const heads = g.reshape(text!, [B, S, 2, 2]);
    const data = Array.from({ length: 24 }, (_, at) => at);
    const graph = g.build({ outputs: { heads, first: first! } });
    const got = await run(graph, { prompt: f32([1, 4], [90, 91, 92, 93]), hidden: f32([3, 2, 4], data) });
    assert.deepEqual(got.heads!.shape, [3, 2, 2, 2]);
    assert.deepEqual([...got.heads!.data], data);
    assert.deepEqual([...got.first!.data], [90, 91, 92, 93]);
  });

  it('uses a constant shape where 0 and -1 say enough', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [B, S, 8]);
    const graph = g.build({ outputs: { y: g.reshape(g.reshape(x, [B, S, 2, 4]), [multiplyDims(B, S), 8]) } });
    assert.deepEqual(
      graph.ops.map(({ op }) => op),
      ['Reshape', 'Reshape'],
    );
    assert.equal(graph.symbols.size, 0);
  });

  it('declares only the inputs that the outputs need, and those asked for', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const unused = g.input('unused', 'float32', [2]);
    const names = (inputs: readonly { readonly name: string }[]) => inputs.map(({ name }) => name);
    assert.deepEqual(names(g.build({ outputs: { y: g.neg(x) } }).inputs), ['x']);
    assert.deepEqual(names(g.build({ outputs: { y: g.neg(x) }, inputs: [unused] }).inputs), ['x', 'unused']);
  });

  it('leaves dead code out and orders inputs before users', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    g.exp(g.tanh(x));
    const y = g.add(g.neg(x), g.sqrt(g.neg(x)));
    const { ops } = g.build({ outputs: { y } });
    assert.deepEqual(
      ops.map(({ op }) => op),
      ['Neg', 'Sqrt', 'Add'],
    );
  });

  it('feeds a cut value under its name instead of computing it', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const middle = g.exp(x);
    const graph = g.build({ outputs: { y: g.neg(middle) }, cut: new Map([[middle, 'middle']]) });
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['middle'],
    );
    assert.deepEqual([...(await run(graph, { middle: f32([2], [3, 4]) })).y!.data], [-3, -4]);
  });

  it('builds graphs deeper than the call stack', () => {
    const g = new GraphBuilder();
    let x = g.input('x', 'float32', [2]);
    for (let depth = 0; depth < 20_000; depth++) x = g.neg(x);
    assert.equal(g.build({ outputs: { y: x } }).ops.length, 20_000);
  });

  it('names what is wrong with a graph', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2, B]);
    const foreign = new GraphBuilder().input('y', 'float32', [2, B]);
    assert.throws(() => g.add(x, foreign), { code: 'INVALID_GRAPH', message: 'Add: B (y) belongs to another graph builder' });
    assert.throws(() => g.input('x', 'float32', [3]), {
      code: 'INVALID_GRAPH',
      message: /input "x" float32 \[3\]: the name is taken by input float32 \[2, B\]/,
    });
    assert.throws(() => g.weight('x', 'float32', [2]), { code: 'INVALID_GRAPH', message: /the name is taken by input/ });
    assert.throws(() => g.build({ outputs: {} }), { code: 'INVALID_GRAPH', message: 'build: expected at least one output' });
    assert.throws(() => g.build({ outputs: { x: g.neg(x) } }), {
      code: 'INVALID_GRAPH',
      message: /two inputs, weights or outputs are named "x"/,
    });
    assert.throws(() => g.build({ outputs: { n: g.dim(S) } }), { code: 'INVALID_GRAPH', message: /no graph input has a dimension "S"/ });
    assert.throws(() => g.apply('Concat', { inputs: [] }, { axis: 0 }), {
      code: 'INVALID_GRAPH',
      message: 'Concat: input "inputs" holds no value',
    });
  });

  it('reads the size of a symbol from an input that is fed anyway', () => {
    const g = new GraphBuilder();
    g.input('big', 'float32', [B, S, 1000]);
    const small = g.input('small', 'int64', [B]);
    const graph = g.build({ outputs: { n: g.add(g.cast(g.dim(B), 'int64'), small) } });
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['small'],
    );
  });

  it('follows the elements of int64 vectors through arithmetic', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [B, S]);
    const sizes = g.concat([g.mul(g.gather(g.shape(x), g.ints([1])), 2), g.constant(tensor('int64', [1], BigInt64Array.of(3n)))], 0);
    assert.deepEqual(sizes.content!.map(dimText), ['2*S', '3']);
    assert.equal(shapeText(g.expand(g.scalar(1), g.range(0, B).shape).shape), '[B]');
  });
});
