/** Model files: what is read, and how damaged and hostile ones are refused. */
import assert from 'node:assert/strict';
import { backbonePorts, compileOnnxBackbone } from '../../../../src/compiler/graphs/onnx-backbone.js';
import { openModel } from '../../../../src/compiler/onnx/import/model.js';
import { readWhole } from '../../../../src/compiler/onnx/import/tensor-source.js';
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';
import { f32 } from '../../../../src/tensor/tensor.js';
import {
  int,
  type ModelNode,
  type ModelParts,
  modelBytes,
  modelFile,
  nodeMessage,
  string,
  tensorMessage,
} from '../../../support/onnx-model.js';
import { seeded } from '../../../support/random.js';

const WEIGHTS = f32(
  [4, 4],
  Array.from({ length: 16 }, (_, at) => at / 8 - 1),
);
const product: ModelNode = { op: 'MatMul', name: 'layer', inputs: ['x', 'w'], outputs: ['h'] };
const relu: ModelNode = { op: 'Relu', name: 'act', inputs: ['h'] };
const model = (parts: Partial<ModelParts> = {}): ModelParts => ({
  nodes: [product, relu],
  initializers: [tensorMessage('w', WEIGHTS)],
  ...parts,
});

async function compile(bytes: Uint8Array, beside?: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const opened = await openModel(modelFile(bytes, beside));
  const ports = backbonePorts(opened);
  for (const kind of ['none', 'softPrompt'] as const) compileOnnxBackbone(opened, ports, kind);
}

async function refuses(bytes: Uint8Array, code: ErrorCode, message: RegExp, beside?: Readonly<Record<string, Uint8Array>>): Promise<void> {
  await assert.rejects(compile(bytes, beside), (error: unknown) => {
    assert.ok(error instanceof CutlayerError, `${error}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Compiles, or fails with an error that is meant for people. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  try {
    await compile(bytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof CutlayerError && error.code !== 'INTERNAL', `${error instanceof Error ? error.stack : error}`);
    return false;
  }
}

const external = (entries: Readonly<Record<string, string>>, dims = [4, 4], type = 1): object => ({
  name: 'w',
  dims,
  data_type: type,
  data_location: 1,
  external_data: Object.entries(entries).map(([key, value]) => ({ key, value })),
});

describe('ONNX model files', () => {
  it('are read as they were written', async () => {
    await compile(modelBytes(model()));
  });

  it('are refused wherever they end early, by a typed error', async () => {
    const bytes = modelBytes(model());
    const whole: number[] = [];
    for (let length = 0; length < bytes.length; length++) if (await survives(bytes.slice(0, length))) whole.push(length);
    // What comes after the graph are imports of operator sets that this model does not use: without them it is whole.
    assert.ok(whole.length <= 2 && whole.every((length) => length > bytes.length - 40), `${whole} of ${bytes.length}`);
  });

  it('never crash the importer, whatever bytes are changed', async () => {
    const bytes = modelBytes(model());
    const random = seeded(11);
    for (let round = 0; round < 400; round++) {
      const damaged = bytes.slice();
      for (let flips = 0; flips < 1 + (round % 3); flips++) damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      await survives(damaged);
    }
  });

  const stored: readonly (readonly [what: string, message: object])[] = [
    ['raw float32', tensorMessage('w', WEIGHTS)],
    ['float_data', { name: 'w', dims: [4, 4], data_type: 1, float_data: [...WEIGHTS.data] }],
    ['raw float16', { name: 'w', dims: [4, 4], data_type: 10, raw_data: bytesOf(Uint16Array.from(WEIGHTS.data, half)) }],
    ['float16 in int32_data', { name: 'w', dims: [4, 4], data_type: 10, int32_data: Array.from(WEIGHTS.data, half) }],
    ['raw bfloat16', { name: 'w', dims: [4, 4], data_type: 16, raw_data: bytesOf(Uint16Array.from(WEIGHTS.data, brain)) }],
  ];
  for (const [what, message] of stored) {
    it(`give ${what} as float32`, async () => {
      const { initializers } = await openModel(modelFile(modelBytes(model({ initializers: [message] }))));
      const source = initializers.get('w')!;
      assert.equal(source.dtype, 'float32');
      assert.deepEqual(new Float32Array((await readWhole(source)).buffer), WEIGHTS.data);
    });
  }

  it('give external data from its offset, the rest of the file being another’s', async () => {
    const file = new Uint8Array(32 + 64);
    file.set(bytesOf(WEIGHTS.data), 32);
    const initializers = [external({ location: 'w.bin', offset: '32', length: '64' })];
    const opened = await openModel(modelFile(modelBytes(model({ initializers })), { 'w.bin': file }));
    assert.deepEqual(new Float32Array((await readWhole(opened.initializers.get('w')!)).buffer), WEIGHTS.data);
  });

  const beside = { 'w.bin': new Uint8Array(64) };
  const hostile: readonly (readonly [what: string, initializer: object, message: RegExp])[] = [
    ['a missing external file', external({ location: 'gone.bin' }), /should lie in gone.bin, which is not beside the model/],
    ['an offset behind the end', external({ location: 'w.bin', offset: '32' }), /expected 64 bytes at 32 of w.bin, which has 64/],
    ['a length that is not the tensor’s', external({ location: 'w.bin', length: '60' }), /expected 64 bytes for float32 \[4, 4\], got 60/],
    ['an offset that is no number', external({ location: 'w.bin', offset: '-1' }), /offset: expected a number of bytes, got "-1"/],
    ['an offset beyond all numbers', external({ location: 'w.bin', offset: '9999999999999999' }), /offset: expected a number of bytes/],
    ['a path that leaves the directory', external({ location: '../w.bin' }), /location: expected a file below the model's directory/],
    ['a hidden path that leaves it', external({ location: 'a/../../w.bin' }), /location: expected a file below/],
    ['an absolute path', external({ location: '/etc/hostname' }), /location: expected a file below/],
    ['a path with a drive', external({ location: 'C:\\w.bin' }), /location: expected a file below/],
    ['no path', external({}), /location: expected a file below/],
    ['too many dims', external({ location: 'w.bin' }, Array(40).fill(1)), /expected dims that a tensor can have/],
    ['huge dims', external({ location: 'w.bin' }, [2 ** 31, 2 ** 31, 2 ** 31]), /expected dims that a tensor can have/],
    ['negative dims', external({ location: 'w.bin' }, [-4, -4]), /expected dims that a tensor can have/],
    [
      'fewer elements than its dims',
      { name: 'w', dims: [4, 4], data_type: 1, float_data: [1, 2] },
      /expected 64 bytes for float32 \[4, 4\], got 8/,
    ],
    ['strings', { name: 'w', dims: [1], data_type: 8, string_data: [Buffer.from('a')] }, /got ONNX's element type 8/],
    ['4-bit numbers', { name: 'w', dims: [2], data_type: 21, raw_data: new Uint8Array(1) }, /got ONNX's element type 21/],
  ];
  for (const [what, initializer, message] of hostile) {
    it(`are refused with ${what} as a weight`, () =>
      refuses(modelBytes(model({ initializers: [initializer] })), 'INVALID_ONNX', message, beside));
  }

  const w = tensorMessage('w', WEIGHTS);
  const port = (name: string, ...shape: (number | string | undefined)[]) => ({ name, shape });
  const refused: readonly (readonly [what: string, parts: Partial<ModelParts>, code: ErrorCode, message: RegExp])[] = [
    ['two initializers of one name', { initializers: [w, w] }, 'INVALID_ONNX', /two initializers are named "w"/],
    ['an opset of long ago', { opset: 11 }, 'INVALID_ONNX', /opset: expected 17 to 23, got 11/],
    ['an opset to come', { opset: 99 }, 'INVALID_ONNX', /opset: expected 17 to 23, got 99/],
    ['an IR version to come', { irVersion: 99 }, 'INVALID_ONNX', /IR version: expected 3 to 13, got 99/],
    [
      'a name that nothing makes',
      { initializers: [] },
      'INVALID_ONNX',
      /node "layer" \(MatMul\): reads "w", which no input, initializer or earlier node makes/,
    ],
    [
      'a cycle',
      { nodes: [{ ...product, inputs: ['h2', 'w'] }, { op: 'Relu', name: 'r', inputs: ['h'], outputs: ['h2'] }, relu] },
      'INVALID_ONNX',
      /has a cycle/,
    ],
    [
      'a name that two nodes make',
      { nodes: [product, { ...relu, outputs: ['h'] }, relu] },
      'INVALID_ONNX',
      /makes "h", which exists already/,
    ],
    ['an output that nothing makes', { outputs: [port('z', 'b', 's', 4)] }, 'INVALID_ONNX', /output "z" is made by no node/],
    [
      'an op that is not known',
      { nodes: [product, { ...relu, op: 'Einsum', attributes: {} }] },
      'UNSUPPORTED_OP',
      /node "act" \(Einsum\): this op is not known/,
    ],
    [
      'an op of a domain that is not known',
      { nodes: [product, { ...relu, domain: 'acme' }] },
      'UNSUPPORTED_OP',
      /node "act" \(acme::Relu\)/,
    ],
    [
      'an op that objects have',
      { nodes: [product, { ...relu, op: 'constructor' }] },
      'UNSUPPORTED_OP',
      /\(constructor\): this op is not known/,
    ],
    [
      'a ScatterND that adds, of which ONNX Runtime loses updates',
      { nodes: [product, { ...relu, op: 'ScatterND', attributes: { reduction: string('add') } }] },
      'UNSUPPORTED_OP',
      /node "act" \(ScatterND\): reduction "add" is not computed reliably/,
    ],
    ['an If', { nodes: [product, { ...relu, op: 'If' }] }, 'UNSUPPORTED_OP', /node "act" \(If\): control flow is not known/],
    ['a Loop', { nodes: [product, { ...relu, op: 'Loop' }] }, 'UNSUPPORTED_OP', /\(Loop\): control flow/],
    ['a missing input', { nodes: [{ ...product, inputs: ['x'] }, relu] }, 'INVALID_ONNX', /node "layer" \(MatMul\): input 1 is missing/],
    [
      'shapes that do not fit',
      { nodes: [product, { op: 'Add', name: 'sum', inputs: ['h', 'v'] }], initializers: [w, tensorMessage('v', f32([3], [1, 2, 3]))] },
      'INVALID_ONNX',
      /node "sum" \(Add\): .*do not broadcast/,
    ],
    [
      'an attribute of another type',
      { nodes: [product, { op: 'Softmax', name: 'soft', inputs: ['h'], attributes: { axis: { type: 1, f: 1 } } }] },
      'INVALID_ONNX',
      /attribute "axis" has another type/,
    ],
    [
      'an axis outside its value',
      { nodes: [product, { op: 'Softmax', name: 'soft', inputs: ['h'], attributes: { axis: int(7) } }] },
      'INVALID_ONNX',
      /node "soft" \(Softmax\): .*axis 7/,
    ],
    [
      'an op without a gradient on the path',
      {
        nodes: [
          product,
          { op: 'Cast', name: 'whole', inputs: ['h'], outputs: ['i'], attributes: { to: int(7) } },
          { op: 'Cast', name: 'back', inputs: ['i'], attributes: { to: int(1) } },
        ],
      },
      'NOT_DIFFERENTIABLE',
      /whole.*int64 values have no gradient/,
    ],
    [
      'a second input',
      { inputs: [port('x', 'b', 's', 4), port('attention_mask', 'b', 's')] },
      'INVALID_ONNX',
      /expected one input, the hidden states; got x, attention_mask/,
    ],
    ['no input', { inputs: [] }, 'INVALID_ONNX', /expected one input/],
    [
      'a second output',
      { outputs: [port('y', 'b', 's', 4), port('h', 'b', 's', 4)] },
      'INVALID_ONNX',
      /expected one output, the hidden states; got y, h/,
    ],
    [
      'a fixed batch',
      { inputs: [port('x', 2, 's', 4)] },
      'INVALID_ONNX',
      /the batch dimension is fixed in \[2, s, 4\]; export with dynamic_shapes/,
    ],
    ['a fixed sequence', { inputs: [port('x', 'b', 7, 4)] }, 'INVALID_ONNX', /the sequence dimension is fixed in \[b, 7, 4\]/],
    ['a dynamic hidden size', { inputs: [port('x', 'b', 's', 'd')] }, 'INVALID_ONNX', /expected a constant hidden size/],
    ['an input of rank 2', { inputs: [port('x', 'b', 4)] }, 'INVALID_ONNX', /expected \[batch, sequence, hidden size\], got \[b, 4\]/],
    [
      'token ids as input',
      { inputs: [{ name: 'x', shape: ['b', 's', 4], type: 7 }] },
      'INVALID_ONNX',
      /expected float32, float16 or bfloat16 hidden states, got int64/,
    ],
    [
      'an output of another shape',
      { nodes: [product, { op: 'Transpose', name: 't', inputs: ['h'] }] },
      'INVALID_ONNX',
      /output "y": expected float32 \[B, S, 4\] like the input, got float32 \[4, S, B\]/,
    ],
  ];
  for (const [what, parts, code, message] of refused)
    it(`are refused with ${what}`, () => refuses(modelBytes(model(parts)), code, message));

  it('have dimensions of any name, or none', async () => {
    await compile(modelBytes(model({ inputs: [port('x', 'batch size?', undefined, 4)], outputs: [port('y', undefined, '∞', 4)] })));
  });

  it('may hold what nothing needs, whatever it is', async () => {
    await compile(
      modelBytes(model({ nodes: [product, { op: 'NonMaxSuppression', name: 'unused', inputs: ['h'], outputs: ['n'] }, relu] })),
    );
  });

  it('may list their initializers among the inputs', async () => {
    await compile(modelBytes(model({ inputs: [port('x', 'b', 's', 4), port('w', 4, 4)] })));
  });
});

describe('functions of ONNX models', () => {
  const call: ModelNode = { op: 'LeakyTwice', domain: 'local', name: 'call', inputs: ['h'], attributes: { slope: { type: 1, f: 0.25 } } };
  const slope = { name: 'alpha', type: 1, ref_attr_name: 'slope' };
  const body = (op: string, input: string, output: string): object => ({
    ...nodeMessage({ op, name: `${op}_${output}`, inputs: [input], outputs: [output] }),
    attribute: [slope],
  });
  const leaky = {
    name: 'LeakyTwice',
    domain: 'local',
    input: ['a'],
    output: ['b'],
    attribute: ['slope'],
    opset_import: [{ domain: '', version: 21 }],
    node: [body('LeakyRelu', 'a', 't'), body('LeakyRelu', 't', 'b')],
  };

  it('are unfolded where they are called, attributes of the call in place', async () => {
    const bytes = modelBytes(model({ nodes: [product, call], functions: [leaky] }));
    const opened = await openModel(modelFile(bytes));
    const { forward } = compileOnnxBackbone(opened, backbonePorts(opened), 'none');
    const slopes = forward.constants.flatMap(({ tensor }) => (tensor.dtype === 'float32' ? [...tensor.data] : []));
    assert.ok(slopes.includes(0.25), `${slopes}`);
    assert.ok(forward.ops.some(({ scope }) => scope === 'call/LeakyRelu_b'));
  });

  it('are refused when they call themselves', () =>
    refuses(
      modelBytes(
        model({ nodes: [product, call], functions: [{ ...leaky, node: [nodeMessage({ ...call, inputs: ['a'], outputs: ['b'] })] }] }),
      ),
      'INVALID_ONNX',
      /functions call each other more than 32 deep/,
    ));

  it('are refused by the name of the op inside that is not known', () =>
    refuses(
      modelBytes(model({ nodes: [product, call], functions: [{ ...leaky, node: [body('Nothing', 'a', 'b')] }] })),
      'UNSUPPORTED_OP',
      /\(Nothing\)/,
    ));
});

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** The bits of a multiple of 1/8 between -1 and 1 as binary16. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(value) / 2 ** exponent - 1) * 1024);
}

/** The bits of a number that bfloat16 holds exactly. */
function brain(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
}
