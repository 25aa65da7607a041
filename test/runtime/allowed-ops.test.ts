/** A graph of an artifact holds only ops that pack writes: none that can loop, none from elsewhere. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { opSignatures } from '../../src/compiler/onnx/op-signatures.js';
import { allowedOps } from '../../src/runtime/allowed-ops.js';
import { checkGraph } from '../../src/runtime/check-graph.js';
import { openGraphs } from '../../src/runtime/graphs.js';

/** A field of bytes of a protocol buffer. */
const field = (number: number, content: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(content);
  assert.ok(bytes.length < 128 && number < 32);
  const key = number * 8 + 2;
  return Buffer.concat([Buffer.from(key < 128 ? [key] : [(key & 0x7f) | 0x80, key >> 7]), Buffer.from([bytes.length]), bytes]);
};
const model = (node: Buffer): Buffer => field(7, field(1, node));
const node = (op: string, domain = ''): Buffer => Buffer.concat([field(4, op), field(7, domain)]);

describe('the ops of a graph', () => {
  it('are those of the compiler', () => {
    const written = Object.entries(opSignatures).map(([op, { domain }]) => `${domain}.${op}`);
    const allowed = Object.entries(allowedOps).flatMap(([domain, ops]) => [...ops].map((op) => `${domain}.${op}`));
    assert.deepEqual(allowed.sort(), written.sort());
  });

  it('are refused when they can loop, run another graph, or come from another domain', () => {
    for (const [bytes, message] of [
      [model(node('Loop')), /got the op "Loop"/],
      [model(node('Scan')), /got the op "Scan"/],
      [model(node('If')), /got the op "If"/],
      [model(node('Add', 'evil')), /got the op "evil.Add"/],
      [model(node('constructor')), /got the op "constructor"/],
      [model(Buffer.concat([field(5, field(6, '')), node('Add')])), /a graph inside a node/],
      [model(Buffer.concat([node('Add'), field(5, field(11, ''))])), /a graph inside a node/],
      [field(25, ''), /got a function/],
      [Buffer.concat([model(node('Add')), field(20, '')]), /got a training graph/],
      [model(Buffer.concat([field(5, Buffer.concat([field(22, '')])), node('Add')])), /got a sparse tensor/],
      [field(7, Buffer.concat([field(1, node('Add')), field(15, '')])), /got a sparse tensor/],
    ] as const)
      assert.throws(() => checkGraph(bytes, 'x.onnx'), { code: 'UNSUPPORTED_OP', message });
    checkGraph(model(node('Add')), 'x.onnx');
  });

  it('are refused in bytes that are no message', () => {
    for (const bytes of [Buffer.from([0x3a, 0x7f]), Buffer.from([0xff]), Buffer.from([0x3b]), Buffer.alloc(20, 0xff)])
      assert.throws(() => checkGraph(bytes, 'x.onnx'), { code: 'INVALID_ARTIFACT' });
  });

  it('are checked when a graph is opened', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-ops-'));
    await writeFile(join(dir, 'loop.onnx'), model(node('Loop')));
    await assert.rejects(openGraphs({ dir, graphs: ['loop.onnx'] }, { threads: 1 }), {
      code: 'UNSUPPORTED_OP',
      message: /loop\.onnx: .*"Loop"/,
    });
    await rm(dir, { recursive: true });
  });
});
