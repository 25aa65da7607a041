/** ONNX models, up to the compiled backbone and its vjp. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { backbonePorts, compileOnnxBackbone } from '../../../src/compiler/graphs/onnx-backbone.js';
import { encodeModel } from '../../../src/compiler/onnx/encoder.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { openModel } from '../../../src/compiler/onnx/import/model.js';
import { decodeMessage, type GraphProto } from '../../../src/compiler/onnx/import/proto.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { dtypes } from '../../../src/tensor/dtype.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { int, ints, type ModelNode, modelBytes, tensorMessage } from '../../support/onnx-model.js';
import { scratchDirectory, scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';

const weight = tensorMessage(
  'w',
  f32(
    [4, 4],
    Array.from({ length: 16 }, (_, at) => at / 8 - 1),
  ),
);
const bias = tensorMessage('b', f32([4], [1, 2, 3, 4]));
const node = (op: string, inputs: readonly string[], output: string, attributes: ModelNode['attributes'] = {}): ModelNode => ({
  op,
  name: `${op}_${output}`,
  inputs,
  outputs: [output],
  attributes,
});
const model = (nodes: readonly ModelNode[]): Uint8Array => modelBytes({ nodes, initializers: [weight, bias] });

const examples = [
  model([node('MatMul', ['x', 'w'], 'h'), node('Relu', ['h'], 'y')]),
  model([node('LayerNormalization', ['x', 'b', 'b'], 'n', { axis: int(-1) }), node('Add', ['n', 'x'], 'y')]),
  model([
    node('Shape', ['x'], 's'),
    node('Transpose', ['x'], 't', { perm: ints(0, 2, 1) }),
    node('Transpose', ['t'], 'u', { perm: ints(0, 2, 1) }),
    node('Reshape', ['u', 's'], 'v'),
    node('Softmax', ['v'], 'y', { axis: int(-1) }),
  ]),
];

const names = fc.constantFrom('x', 'w', 'b', 'h0', 'h1', 'h2', 'y', '');
const ops = fc.constantFrom(
  ...['Add', 'Mul', 'MatMul', 'Gemm', 'Relu', 'Softmax', 'Reshape', 'Transpose', 'Slice', 'Gather', 'Concat', 'Split', 'Cast', 'Shape'],
  ...[
    'Where',
    'Expand',
    'ReduceMean',
    'LayerNormalization',
    'Pow',
    'Range',
    'ConstantOfShape',
    'Unsqueeze',
    'Squeeze',
    'Erf',
    'Loop',
    'If',
  ],
  ...['ScatterND', 'Einsum', 'Tile', 'Pad', 'CumSum', 'Trilu', 'SimplifiedLayerNormalization', 'GroupQueryAttention', 'Constant'],
);
const attribute = fc.oneof(
  fc.integer({ min: -4, max: 9 }).map(int),
  fc.constantFrom(2 ** 31, 2 ** 53, -(2 ** 62)).map(int),
  fc.array(fc.integer({ min: -3, max: 4 }), { maxLength: 4 }).map((values) => ints(...values)),
);
const attributeNames = fc.constantFrom(
  'axis',
  'axes',
  'perm',
  'to',
  'transB',
  'keepdims',
  'num_outputs',
  'epsilon',
  'num_heads',
  'k',
  'upper',
);
const madeNode = fc
  .tuple(
    ops,
    fc.array(names, { maxLength: 4 }),
    fc.constantFrom('h0', 'h1', 'h2', 'y'),
    fc.dictionary(attributeNames, attribute, { maxKeys: 2, noNullPrototype: true }),
  )
  .map(([op, inputs, output, attributes]) => node(op, inputs, output, attributes));

/** A graph that is written reads back with all its nodes, inputs and outputs. */
function requireReadable(graph: Graph, bytesOf: ReadonlyMap<string, number>): void {
  const bytes = encodeModel(graph, { externalData: (weight) => ({ location: 'w', offset: 0, length: bytesOf.get(weight) ?? 0 }) });
  const read = decodeMessage('ModelProto', bytes, 'written') as unknown as { readonly graph: GraphProto }; // the whole message
  assert.ok(read.graph.node.length >= graph.ops.length);
  assert.deepEqual(
    [...read.graph.input, ...read.graph.output].map(({ name }) => name),
    [...graph.inputs, ...graph.outputs].map(({ name }) => name),
  );
}

/** A whole model as torch exports it, its weights beside it. */
const exported = join(packageRoot(), 'test', 'fixtures', 'onnx-gpt2');
copyFileSync(join(exported, 'backbone.onnx.data'), join(scratchDirectory(), 'backbone.onnx.data'));

export const target: Target = {
  examples: [...examples, readFileSync(join(exported, 'backbone.onnx'))],
  made: fc.array(madeNode, { minLength: 1, maxLength: 5 }).map(model),
  words: ['MatMul', 'Reshape', 'Loop', 'com.microsoft', 'batch', 'axis'],
  async run(input) {
    const opened = await openModel(scratchFile('model.onnx', input));
    const ports = backbonePorts(opened);
    const tensors = [...opened.initializers.values(), ...opened.constants.values()];
    const bytesOf = new Map(tensors.map(({ weightName, elements, dtype }) => [weightName, elements * dtypes[dtype].bytes]));
    for (const kind of ['none', 'softPrompt'] as const) {
      const { forward, vjp } = compileOnnxBackbone(opened, ports, kind);
      requireReadable(forward, bytesOf);
      requireReadable(vjp, bytesOf);
    }
  },
};
