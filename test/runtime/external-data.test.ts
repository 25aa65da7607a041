/** The weights of a graph lie in the artifact's weights file, within its bounds, and nowhere else. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import { encodeModel } from '../../src/compiler/onnx/encoder.js';
import { modelProto } from '../../src/compiler/onnx/onnx-proto.js';
import { checkGraph } from '../../src/runtime/check-graph.js';
import { openGraphs } from '../../src/runtime/graphs.js';
import { f32 } from '../../src/tensor/tensor.js';

/** The graph y = x + w, with w [2] in the given place. */
function sum(location: string, offset = 0): Uint8Array {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', [2]);
  const y = g.add(x, g.weight('w', 'float32', [2]));
  return encodeModel(g.build({ outputs: { y } }), { externalData: () => ({ location, offset, length: 8 }) });
}

interface ModelMessage {
  readonly graph: { readonly initializer: Record<string, unknown>[]; readonly node: Record<string, unknown>[] };
}

/** A model with its message changed: what no encoder writes. */
function changed(model: Uint8Array, change: (graph: ModelMessage['graph']) => void): Uint8Array {
  const message = modelProto().decode(model);
  change((message as unknown as ModelMessage).graph); // the type is that of ONNX's ModelProto
  return modelProto().encode(message).finish();
}

const weight = (entries: Readonly<Record<string, string>>): Uint8Array =>
  changed(sum('weights.bin'), ({ initializer }) => {
    initializer[0]!.external_data = Object.entries(entries).map(([key, value]) => ({ key, value }));
  });

describe('the external data of a graph', function () {
  this.timeout(20_000);
  let dir: string;
  const run = async (model: Uint8Array, weightsFile?: string, graph = 'sum.onnx'): Promise<readonly number[]> => {
    await writeFile(join(dir, graph), model);
    const host = await openGraphs({ dir, graphs: [graph], ...(weightsFile === undefined ? {} : { weightsFile }) }, { threads: 1 });
    try {
      const { y } = await host.run(graph, { x: f32([2], [1, 1]) });
      return [...(y!.data as Float32Array)];
    } finally {
      await host.close();
    }
  };
  const refuses = (model: Uint8Array, message: RegExp): void =>
    assert.throws(() => checkGraph(model, 'sum.onnx', { path: 'weights.bin', bytes: 16 }), { code: 'INVALID_ARTIFACT', message });

  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'cutlayer-external-')), 'artifact');
    await mkdir(dir);
    const values = Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);
    for (const file of ['weights.bin', 'other.bin', '../secret.bin']) await writeFile(join(dir, file), values);
  });
  afterEach(async () => {
    await rm(dirname(dir), { recursive: true });
  });

  it('is read from the weights file', async () => {
    assert.deepEqual(await run(sum('weights.bin', 8), 'weights.bin'), [4, 5]);
  });

  it('is refused in any other file: of the directory, above it, absolute, by a link, in memory', async () => {
    const opened = run(sum('../secret.bin'), 'weights.bin');
    await assert.rejects(opened, { code: 'INVALID_ARTIFACT', message: /expected the file "weights\.bin", got "\.\.\/secret\.bin"/ });
    for (const location of [
      'other.bin',
      'link.bin',
      './weights.bin',
      '../artifact/weights.bin',
      '../secret.bin',
      '../../../etc/passwd',
      join(dir, 'weights.bin'),
      '/etc/passwd',
      '*/_ORT_MEM_ADDR_/*',
      '',
    ])
      refuses(sum(location), /sum\.onnx: a tensor's elements: expected the file "weights\.bin", got .*pack the checkpoint again/);
  });

  it('is refused without a weights file', async () => {
    await assert.rejects(run(sum('weights.bin')), { code: 'INVALID_ARTIFACT', message: /expected them in the graph, got "weights\.bin"/ });
  });

  it('is refused when the weights file is a link', async () => {
    await rename(join(dir, 'weights.bin'), join(dir, 'moved.bin'));
    await symlink('moved.bin', join(dir, 'weights.bin'));
    await assert.rejects(run(sum('weights.bin'), 'weights.bin'), {
      code: 'INVALID_ARTIFACT',
      message: /weights\.bin: expected a regular file/,
    });
  });

  it('is refused beyond the end of the file, and in numbers that are none', () => {
    const wanted = (range: string) => new RegExp(`a tensor's elements: expected a range of the 16 bytes of "weights\\.bin", got ${range}`);
    refuses(sum('weights.bin', 12), wanted('12 \\+ 8'));
    refuses(sum('weights.bin', 2 ** 52), wanted('4503599627370496 \\+ 8'));
    for (const [offset, length] of [
      ['-8', '8'],
      ['0x0', '8'],
      ['0', '-8'],
      ['18446744073709551608', '16'],
      ['0', '1e1'],
      [' 0', '8'],
    ] as const)
      refuses(weight({ location: 'weights.bin', offset, length }), /expected a range of the 16 bytes of "weights\.bin", got /);
    refuses(weight({ location: 'weights.bin' }), /expected a range of the 16 bytes/);
  });

  it('is refused with keys that are unknown or repeated', () => {
    const range = { location: 'weights.bin', offset: '0', length: '8' };
    refuses(weight({ ...range, checksum: '00' }), /expected location, offset and length once, got "checksum"/);
    const twice = changed(sum('other.bin'), ({ initializer }) => {
      (initializer[0]!.external_data as object[]).push({ key: 'location', value: 'weights.bin' });
    });
    refuses(twice, /expected location, offset and length once, got "location"/);
  });

  it('is refused in a tensor of an attribute', () => {
    const outside = { dims: [2], data_type: 1, data_location: 1, external_data: [{ key: 'location', value: '../secret.bin' }] };
    const inAttribute = (attribute: object): Uint8Array =>
      changed(sum('weights.bin'), ({ node }) => {
        (node[0]!.attribute as object[]).push({ name: 'value', ...attribute });
      });
    refuses(inAttribute({ type: 4, t: outside }), /expected the file "weights\.bin", got "\.\.\/secret\.bin"/);
    refuses(inAttribute({ type: 9, tensors: [outside] }), /expected the file "weights\.bin", got "\.\.\/secret\.bin"/);
  });

  it('is refused in a file that is no .onnx: ONNX Runtime reads .ort in another format', async () => {
    await assert.rejects(run(sum('weights.bin'), 'weights.bin', 'sum.ort'), {
      code: 'INVALID_ARTIFACT',
      message: /sum\.ort: expected a file whose name ends in \.onnx/,
    });
  });
});
