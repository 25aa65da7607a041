/** Importing streams: memory does not grow with the weights, wherever they lie. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { modelProto } from '../../../src/compiler/onnx/onnx-proto.js';
import { thorough } from '../../support/exhaustive.js';
import { type ModelNode, modelBytes, modelFile } from '../../support/onnx-model.js';

const MEGABYTE = 1 << 20;
const WIDTH = 6400;
const nodes: readonly ModelNode[] = [{ op: 'MatMul', name: 'layer', inputs: ['x', 'w'] }];
const hidden = ['batch', 'sequence', WIDTH];
const parts = { nodes, inputs: [{ name: 'x', shape: hidden }], outputs: [{ name: 'y', shape: hidden }] };

/** A length-delimited field of which only the beginning is written: number, length, and the first bytes. */
function field(number: number, length: number, first: Uint8Array): Buffer {
  const varint: number[] = [number * 8 + 2];
  let rest = length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) varint.push((rest % 128) + 128);
  varint.push(rest);
  return Buffer.concat([Buffer.from(varint), first]);
}

/** Zeros at the end of a file, which take no room on disk. */
async function extend(path: string, more: number): Promise<void> {
  const file = await open(path, 'a');
  await file.truncate((await file.stat()).size + more);
  await file.close();
}

/** A model whose weight lies inside it, raw. */
async function inline(): Promise<string> {
  const bytes = 4 * WIDTH * WIDTH;
  const tensor = modelProto().root.lookupType('onnx.TensorProto');
  const described = tensor.encode(tensor.fromObject({ name: 'w', dims: [WIDTH, WIDTH], data_type: 1 })).finish();
  const raw = field(9, bytes, new Uint8Array());
  const initializer = field(5, described.length + raw.length + bytes, Buffer.concat([described, raw]));
  // A second graph field adds to the first.
  const graph = field(7, initializer.length + bytes, initializer);
  const path = modelFile(Buffer.concat([modelBytes(parts), graph]));
  await extend(path, bytes);
  return path;
}

/** A model whose weight lies beside it, as bfloat16. */
async function external(): Promise<string> {
  const w = { name: 'w', dims: [WIDTH, WIDTH], data_type: 16, data_location: 1, external_data: [{ key: 'location', value: 'w.bin' }] };
  const path = modelFile(modelBytes({ ...parts, initializers: [w] }), { 'w.bin': new Uint8Array() });
  await extend(join(dirname(path), 'w.bin'), 2 * WIDTH * WIDTH);
  return path;
}

const places = [
  ['in the model file', inline],
  ['beside it, 16 bits wide', external],
] as const;
for (const [where, make] of places) {
  thorough(`pack --onnx: 164 MB of weights ${where} take less than 100 MB of memory`, async () => {
    const path = await make();
    const target = join(dirname(path), 'weights.safetensors');
    try {
      const child = fileURLToPath(new URL('../../support/onnx-stream-process.js', import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [child, path, target]);
      const { before, peak, written } = JSON.parse(stdout) as { before: number; peak: number; written: number };
      assert.ok(written > 163e6, `${written} bytes`);
      assert.ok(peak - before < 100 * MEGABYTE, `grew by ${Math.round((peak - before) / MEGABYTE)} MB`);
    } finally {
      await rm(dirname(path), { recursive: true, force: true });
    }
  });
}
