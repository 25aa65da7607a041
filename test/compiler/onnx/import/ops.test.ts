/** Every op that the importer knows gives what ONNX Runtime gives for the node itself. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { GraphBuilder } from '../../../../src/compiler/onnx/builder.js';
import { applyModel, importedOps } from '../../../../src/compiler/onnx/import/apply.js';
import { openModel } from '../../../../src/compiler/onnx/import/model.js';
import { packageRoot } from '../../../../src/files/package-root.js';
import { dtypes } from '../../../../src/tensor/dtype.js';
import type { Tensor } from '../../../../src/tensor/tensor.js';
import { type ImportCase, importCases } from '../../../support/import-cases.js';
import { modelBytes, modelFile, tensorMessage } from '../../../support/onnx-model.js';
import { run, runSession, type Tensors } from '../../../support/session.js';

function bytesOf({ nodes, feeds = {}, constants = {}, outputs = ['y'], opset = 21 }: ImportCase): Uint8Array {
  return modelBytes({
    nodes,
    opset,
    inputs: Object.entries(feeds).map(([name, { dtype, shape }]) => ({ name, shape, type: dtypes[dtype].onnx })),
    // Rank and type are the runtime's to say.
    outputs: outputs.map((name) => ({ name, shape: [], type: 0 })),
    initializers: Object.entries(constants).map(([name, value]) => tensorMessage(name, value)),
  });
}

async function runtimeResults(item: ImportCase): Promise<Tensors> {
  const session = await InferenceSession.create(bytesOf(item), { intraOpNumThreads: 1, logSeverityLevel: 4 });
  try {
    return await runSession(session, item.feeds ?? {});
  } finally {
    await session.release();
  }
}

async function importedResults(item: ImportCase): Promise<Tensors> {
  const model = await openModel(modelFile(bytesOf(item)));
  const g = new GraphBuilder();
  const inputs = Object.entries(item.feeds ?? {}).map(([name, { dtype, shape }]) => [name, g.input(name, dtype, shape)] as const);
  const outputs = applyModel(g, model, new Map(inputs));
  for (const [name, { shape }] of outputs)
    assert.ok(
      shape.every((dim) => typeof dim === 'number'),
      `${name} has an unknown size`,
    );
  return run(g.build({ outputs: Object.fromEntries(outputs) }), item.feeds);
}

function assertClose(got: Tensor, wanted: Tensor): void {
  assert.equal(got.dtype, wanted.dtype);
  assert.deepEqual(got.shape, wanted.shape);
  for (const [at, value] of wanted.data.entries()) {
    const [a, b] = [Number(got.data[at]), Number(value)];
    assert.ok(Object.is(a, b) || Math.abs(a - b) <= 2e-6 * Math.max(1, Math.abs(b)), `element ${at}: ${a} against ${b}`);
  }
}

describe('importer ops', () => {
  it('are those that docs/onnx.md lists', () => {
    const [, listed = ''] = /<!-- ops -->([\s\S]*)<!-- \/ops -->/.exec(readFileSync(join(packageRoot(), 'docs/onnx.md'), 'utf8')) ?? [];
    assert.deepEqual(
      [...listed.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
      importedOps,
    );
  });

  it('have a row each', () => assert.deepEqual(Object.keys(importCases).sort(), importedOps));

  for (const [op, cases] of Object.entries(importCases)) {
    for (const [at, item] of cases.entries()) {
      it(`${op} gives what ONNX Runtime gives (${at + 1})`, async () => {
        const wanted = await runtimeResults(item);
        const got = await importedResults(item);
        assert.deepEqual(Object.keys(got).sort(), Object.keys(wanted).sort());
        for (const [name, value] of Object.entries(wanted)) assertClose(got[name]!, value);
      });
    }
  }
});
