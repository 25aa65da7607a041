/** Shape arithmetic of exporters, followed through symbolic sizes: what a graph gives at any batch and length is what ONNX Runtime gives. */
import assert from 'node:assert/strict';
import { InferenceSession } from 'onnxruntime-node';
import { GraphBuilder } from '../../../../src/compiler/onnx/builder.js';
import { addDims, type Dim, multiplyDims, symbol } from '../../../../src/compiler/onnx/dim.js';
import { applyModel } from '../../../../src/compiler/onnx/import/apply.js';
import { openModel } from '../../../../src/compiler/onnx/import/model.js';
import { atMost, compareSizes, isNegative } from '../../../../src/compiler/onnx/import/sizes.js';
import { CutlayerError } from '../../../../src/errors.js';
import { type Tensor, tensor } from '../../../../src/tensor/tensor.js';
import { int, type ModelNode, modelBytes, modelFile, tensorMessage } from '../../../support/onnx-model.js';
import { seeded, uniform } from '../../../support/random.js';
import { load, runSession } from '../../../support/session.js';

const node = (op: string, inputs: readonly string[], output: string, attributes: ModelNode['attributes'] = {}): ModelNode => ({
  op,
  name: output,
  inputs,
  outputs: [output],
  attributes,
});

const whole = (shape: readonly number[], ...values: number[]): Tensor => tensor('int64', shape, BigInt64Array.from(values, BigInt));
const constants: Readonly<Record<string, Tensor>> = {
  zero: whole([], 0),
  one: whole([], 1),
  two: whole([], 2),
  four: whole([], 4),
  minus: whole([], -1),
  v0: whole([1], 0),
  v1: whole([1], 1),
  v2: whole([1], 2),
  v4: whole([1], 4),
  vMinus: whole([1], -1),
  vMinus2: whole([1], -2),
  end: whole([1], 2 ** 53),
  firstTwo: whole([2], 0, 1),
  keepAll: whole([3], -1, -1, -1),
  ones: whole([3], 1, 1, 1),
};

/** Nodes on x [B, S, 4] that end in y. */
const graphs: Readonly<Record<string, readonly ModelNode[]>> = {
  'gathers sizes, multiplies them and folds batch and sequence': [
    node('Shape', ['x'], 'shape'),
    node('Gather', ['shape', 'zero'], 'b'),
    node('Gather', ['shape', 'one'], 's'),
    node('Mul', ['b', 's'], 'rows'),
    node('Unsqueeze', ['rows', 'v0'], 'vRows'),
    node('Concat', ['vRows', 'v4'], 'folded', { axis: int(0) }),
    node('Reshape', ['x', 'folded'], 'y'),
  ],
  'divides a product by its factor': [
    node('Size', ['x'], 'size'),
    node('Div', ['size', 'four'], 'rows'),
    node('Shape', ['x'], 's', { start: int(1), end: int(2) }),
    node('Div', ['rows', 's'], 'b'),
    node('Concat', ['s', 'b', 'v4'], 'turned', { axis: int(0) }),
    node('Reshape', ['x', 'turned'], 'y'),
  ],
  'takes the last of a shape, and all before it': [
    node('Shape', ['x'], 'shape'),
    node('Slice', ['shape', 'vMinus', 'end'], 'last'),
    node('Slice', ['shape', 'v0', 'vMinus'], 'front'),
    node('ReduceProd', ['front'], 'rows', { keepdims: int(1) }),
    node('Concat', ['rows', 'last'], 'folded', { axis: int(0) }),
    node('Reshape', ['x', 'folded'], 'y'),
  ],
  'expands by a shape in which -1 keeps a size, as torch means it': [
    node('Shape', ['x'], 'shape'),
    node('Equal', ['keepAll', 'keepAll'], 'kept'),
    node('Where', ['kept', 'ones', 'shape'], 'wanted'),
    node('Equal', ['wanted', 'ones'], 'isOne'),
    node('Where', ['isOne', 'shape', 'wanted'], 'target'),
    node('Expand', ['x', 'target'], 'y'),
  ],
  'asks whether sizes are what they must be': [
    node('Shape', ['x'], 's', { start: int(1), end: int(2) }),
    node('Max', ['s', 'v1'], 'atLeastOne'),
    node('Min', ['atLeastOne', 's'], 'same'),
    node('Less', ['same', 'v1'], 'empty'),
    node('Where', ['empty', 'v0', 'same'], 'chosen'),
    node('Slice', ['x', 'v0', 'chosen', 'v1'], 'y'),
  ],
  'cuts off the last row and puts the first before it': [
    node('Slice', ['x', 'v0', 'v1', 'v1'], 'first'),
    node('Slice', ['x', 'v0', 'vMinus', 'v1'], 'front'),
    node('Concat', ['first', 'front'], 'y', { axis: int(1) }),
  ],
  'counts positions in fractions': [
    node('Shape', ['x'], 's', { start: int(1), end: int(2) }),
    node('Squeeze', ['s'], 'n'),
    node('Cast', ['n'], 'limit', { to: int(1) }),
    node('Cast', ['zero'], 'start', { to: int(1) }),
    node('Cast', ['one'], 'delta', { to: int(1) }),
    node('Range', ['start', 'limit', 'delta'], 'positions'),
    node('Unsqueeze', ['positions', 'v1'], 'column'),
    node('Add', ['x', 'column'], 'y'),
  ],
  'fills a value of run-time size, and takes a triangle of it': [
    node('Shape', ['x'], 's', { start: int(1), end: int(2) }),
    node('Concat', ['s', 's'], 'square', { axis: int(0) }),
    node('ConstantOfShape', ['square'], 'zeros'),
    node('Cos', ['zeros'], 'ones_'),
    node('Trilu', ['ones_'], 'seen', { upper: int(0) }),
    node('MatMul', ['seen', 'x'], 'y'),
  ],
  'repeats by a product and takes the remainder away': [
    node('Shape', ['x'], 'b', { start: int(0), end: int(1) }),
    node('Mul', ['b', 'v2'], 'twice'),
    node('Mod', ['twice', 'v2'], 'rest'),
    node('Sub', ['twice', 'rest'], 'whole'),
    node('Tile', ['x', 'repeats'], 'tiled'),
    node('Concat', ['whole', 'vMinus', 'v4'], 'shape', { axis: int(0) }),
    node('Reshape', ['tiled', 'shape'], 'y'),
  ],
};

const [B, S] = [symbol('B'), symbol('S')];

async function opened(nodes: readonly ModelNode[]): Promise<{ readonly bytes: Uint8Array; readonly path: string }> {
  const initializers = Object.entries({ ...constants, repeats: whole([3], 2, 1, 1) }).map(([name, value]) => tensorMessage(name, value));
  const bytes = modelBytes({ nodes, initializers, outputs: [{ name: 'y', shape: [], type: 0 }] });
  return { bytes, path: modelFile(bytes) };
}

describe('importer shape arithmetic', () => {
  for (const [what, nodes] of Object.entries(graphs)) {
    it(what, async () => {
      const { bytes, path } = await opened(nodes);
      const g = new GraphBuilder();
      const y = applyModel(g, await openModel(path), new Map([['x', g.input('x', 'float32', [B, S, 4])]])).get('y')!;
      const imported = await load(g.build({ outputs: { y } }));
      const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
      try {
        for (const [batch, length] of [
          [1, 1],
          [2, 5],
          [3, 4],
        ] as const) {
          const x = uniform('float32', [batch, length, 4], seeded(batch));
          const [got, wanted] = [(await imported.run({ x })).y!, (await runSession(session, { x })).y!];
          assert.deepEqual(got.shape, wanted.shape);
          for (const [at, value] of wanted.data.entries()) assert.ok(Math.abs(Number(value) - Number(got.data[at])) <= 1e-6);
        }
      } finally {
        await imported.release();
        await session.release();
      }
    });
  }

  const refused: readonly (readonly [what: string, nodes: readonly ModelNode[], message: RegExp])[] = [
    [
      'a size that rounds',
      [
        node('Shape', ['x'], 's', { start: int(1), end: int(2) }),
        node('Div', ['s', 'v2'], 'half'),
        node('Slice', ['x', 'v0', 'half', 'v1'], 'y'),
      ],
      /node "y" \(Slice\): ends depends on data/,
    ],
    [
      'a size that depends on data',
      [
        node('ReduceSum', ['x'], 'sum', { keepdims: int(0) }),
        node('Cast', ['sum'], 'n', { to: int(7) }),
        node('Unsqueeze', ['n', 'v0'], 'v'),
        node('ConstantOfShape', ['v'], 'y'),
      ],
      /node "y" \(ConstantOfShape\): the shape depends on data/,
    ],
  ];
  for (const [what, nodes, message] of refused) {
    it(`refuses ${what}, naming the node`, async () => {
      const { path } = await opened(nodes);
      const model = await openModel(path);
      const g = new GraphBuilder();
      assert.throws(
        () => applyModel(g, model, new Map([['x', g.input('x', 'float32', [B, S, 4])]])),
        (error: unknown) => error instanceof CutlayerError && error.code === 'UNSUPPORTED_OP' && message.test(error.message),
      );
    });
  }
});

describe('sizes known only at run time', () => {
  const twice: Dim = multiplyDims(2, S);
  const orders: readonly (readonly [a: Dim, b: Dim, order: -1 | 0 | 1 | undefined])[] = [
    [S, 0, 1],
    [S, 1, undefined], // S may be 1
    [addDims(S, 1), 1, 1],
    [-1, S, -1],
    [twice, twice, 0],
    [addDims(twice, 1), S, 1],
    [S, B, undefined],
    [multiplyDims(B, S), B, undefined],
  ];
  for (const [a, b, order] of orders) {
    it(`are compared only where the symbols do not matter: ${typeof a === 'number' ? a : a.text} and ${typeof b === 'number' ? b : b.text}`, () => {
      assert.equal(compareSizes(a, b), order);
    });
  }
  it('are at most each other, or not known to be', () => {
    assert.equal(atMost(1, S), true);
    assert.equal(atMost(S, twice), true);
    assert.equal(atMost(twice, S), false);
    assert.equal(atMost(S, B), false);
  });
  it('count from the end where they are negative', () => {
    assert.deepEqual([isNegative(-1), isNegative(multiplyDims(-1, S)), isNegative(S), isNegative(0)], [true, true, false, false]);
  });
});
