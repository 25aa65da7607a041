import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { GraphBuilder } from '../../../src/compiler/onnx/builder.js';
import { addDims, multiplyDims, symbol } from '../../../src/compiler/onnx/dim.js';
import { encodeModel } from '../../../src/compiler/onnx/encoder.js';
import { modelProto } from '../../../src/compiler/onnx/onnx-proto.js';
import { f32, tensor } from '../../../src/tensor/tensor.js';
import { run, runSession } from '../../support/session.js';

interface DecodedTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly raw_data?: Uint8Array;
  readonly data_location?: number;
  readonly external_data?: readonly { readonly key: string; readonly value: string }[];
}

interface DecodedModel {
  readonly ir_version: number;
  readonly opset_import: readonly { readonly domain: string; readonly version: number }[];
  readonly graph: {
    readonly node: readonly {
      readonly name: string;
      readonly op_type: string;
      readonly domain: string;
      readonly input: readonly string[];
      readonly output: readonly string[];
    }[];
    readonly initializer: readonly DecodedTensor[];
    readonly input: readonly {
      readonly name: string;
      readonly type: { readonly tensor_type: { readonly elem_type: number; readonly shape: { readonly dim: readonly object[] } } };
    }[];
    readonly output: readonly { readonly name: string }[];
  };
}

const [B, S, P] = [symbol('B'), symbol('S'), symbol('P')];

function decode(bytes: Uint8Array): DecodedModel {
  const type = modelProto();
  // toObject gives the fields of the proto file, of which the test reads those declared above.
  return type.toObject(type.decode(bytes), { longs: Number, defaults: true }) as DecodedModel;
}

/** A linear layer with one weight, one constant, symbolic rows and a copied output. */
function linear(): GraphBuilder {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', [B, S, 2]);
  g.input('prompt', 'float32', [P, 2]);
  const w = g.weight('h.0.weight', 'float32', [3, 2]);
  g.scoped('layers.0', () => g.gemm({ A: g.reshape(x, [multiplyDims(B, S), 2]), B: w, C: g.constant(f32([3], [1, 2, 3])) }, { transB: 1 }));
  return g;
}

const outputOf = (g: GraphBuilder) => g.table.nodes.at(-1)!.outputs[0]!;

const at = (location: string, offset: number) => () => ({ location, offset, length: 24 });

describe('the ONNX encoder', () => {
  it('writes ops, attributes, shapes and constants that decode to the same graph', () => {
    const g = linear();
    const y = outputOf(g);
    const model = decode(
      encodeModel(g.build({ outputs: { y, rows: g.dim(addDims(multiplyDims(B, S), P)) } }), { externalData: at('w.bin', 8) }),
    );
    assert.equal(model.ir_version, 10);
    assert.deepEqual(model.opset_import, [
      { domain: '', version: 21 },
      { domain: 'com.microsoft', version: 1 },
    ]);
    const gemm = model.graph.node.find(({ op_type }) => op_type === 'Gemm')!;
    assert.deepEqual(gemm.output, ['y']);
    assert.equal(gemm.input[1], 'h.0.weight');
    const bias = model.graph.initializer.find(({ name }) => name === gemm.input[2])!;
    assert.deepEqual([...new Float32Array(Uint8Array.from(bias.raw_data!).buffer)], [1, 2, 3]);
    const x = model.graph.input.find(({ name }) => name === 'x')!;
    assert.equal(x.type.tensor_type.elem_type, 1);
    assert.equal(
      JSON.stringify(x.type.tensor_type.shape.dim),
      JSON.stringify([
        { denotation: '', dim_param: 'B' },
        { denotation: '', dim_param: 'S' },
        { denotation: '', dim_value: 2 },
      ]),
    );
    assert.deepEqual(
      model.graph.output.map(({ name }) => name),
      ['y', 'rows'],
    );
  });

  it('refers to a weight by file, offset and length, without its bytes', () => {
    const g = linear();
    const model = decode(encodeModel(g.build({ outputs: { y: outputOf(g) } }), { externalData: at('weights.safetensors', 4096) }));
    const weight = model.graph.initializer.find(({ name }) => name === 'h.0.weight')!;
    assert.deepEqual(weight.dims, [3, 2]);
    assert.equal(weight.data_location, 1);
    assert.equal(weight.raw_data?.length ?? 0, 0);
    assert.deepEqual(Object.fromEntries(weight.external_data!.map(({ key, value }) => [key, value])), {
      location: 'weights.safetensors',
      offset: '4096',
      length: '24',
    });
  });

  it('gives the same bytes for the same graph', () => {
    const encode = () => {
      const g = linear();
      return Buffer.from(encodeModel(g.build({ outputs: { y: outputOf(g) } }), { externalData: at('w.bin', 0) })).toString('hex');
    };
    assert.equal(encode(), encode());
  });

  it('names values by scope and op, without repeating a name', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const y = g.scoped('layers.0', () => g.scoped('mlp', () => g.add(g.exp(x), g.exp(g.neg(x)))));
    const model = decode(encodeModel(g.build({ outputs: { y: g.neg(y) } })));
    assert.deepEqual(
      model.graph.node.map(({ output }) => output[0]),
      ['layers.0/mlp/Exp', 'layers.0/mlp/Neg', 'layers.0/mlp/Exp_1', 'layers.0/mlp/Add', 'y'],
    );
  });

  it('reads weights at an offset inside a safetensors file, in a real session', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-onnx-'));
    try {
      const header = Buffer.from(
        JSON.stringify({
          other: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
          w: { dtype: 'F32', shape: [3, 2], data_offsets: [4, 28] },
        }),
      );
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(header.length));
      const values = Buffer.from(Float32Array.of(-99, 1, 2, 3, 4, 5, 6).buffer);
      writeFileSync(join(dir, 'weights.safetensors'), Buffer.concat([length, header, values]));
      const g = linear();
      const offset = 8 + header.length + 4;
      writeFileSync(
        join(dir, 'model.onnx'),
        encodeModel(g.build({ outputs: { y: outputOf(g) } }), { externalData: at('weights.safetensors', offset) }),
      );
      const session = await InferenceSession.create(join(dir, 'model.onnx'));
      const { y } = await runSession(session, { x: f32([1, 2, 2], [1, 0, 10, 100]) });
      assert.deepEqual([...y!.data], [2, 5, 8, 211, 432, 653]);
      await session.release();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('runs a graph whose outputs are an input, a constant, and one value twice', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [2]);
    const y = g.neg(x);
    const got = await run(g.build({ outputs: { y, again: y, same: x, constant: g.scalar(5, 'int64') } }), { x: f32([2], [1, 2]) });
    assert.deepEqual([...got.y!.data], [-1, -2]);
    assert.deepEqual([...got.again!.data], [-1, -2]);
    assert.deepEqual([...got.same!.data], [1, 2]);
    assert.deepEqual([...got.constant!.data], [5n]);
  });

  it('runs a split of which one part is used, and a norm that is fed but whose statistics are computed', async () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [1, 4]);
    const [, middle] = g.split(x, [1, 2, 1], 1);
    const [normed, mean] = g.applyAll('LayerNormalization', { X: x, Scale: g.constant(f32([4], [1, 1, 1, 1])) });
    const graph = g.build({ outputs: { middle: middle!, sum: g.add(normed!, mean!) }, cut: new Map([[normed!, 'normed']]) });
    const got = await run(graph, { x: f32([1, 4], [1, 2, 3, 4]), normed: f32([1, 4], [0, 0, 0, 0]) });
    assert.deepEqual([...got.middle!.data], [2, 3]);
    assert.deepEqual([...got.sum!.data], [2.5, 2.5, 2.5, 2.5]);
  });

  it('refuses a weight without a place, or with one of another size', () => {
    const g = linear();
    const graph = g.build({ outputs: { y: outputOf(g) } });
    assert.throws(() => encodeModel(graph), { code: 'INVALID_GRAPH', message: /the graph has weight "h\.0\.weight", give externalData/ });
    assert.throws(() => encodeModel(graph, { externalData: () => ({ location: 'w', offset: 0, length: 20 }) }), {
      code: 'INVALID_GRAPH',
      message: 'weight "h.0.weight": expected 24 bytes at an offset, got 20 at 0',
    });
  });

  it('keeps the elements of int64 constants', async () => {
    const g = new GraphBuilder();
    const got = await run(g.build({ outputs: { y: g.identity(g.constant(tensor('int64', [2], BigInt64Array.of(-1n, 2n ** 40n)))) } }));
    assert.deepEqual([...got.y!.data], [-1n, 2n ** 40n]);
  });
});
