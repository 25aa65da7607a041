/** A forward that no vjp follows runs a graph of its own, without residuals and with fused attention: it must give the rows of the training step's graph. */
import assert from 'node:assert/strict';
import { spanKinds } from '../../../src/artifacts/manifest.js';
import { loadBackbone } from '../../../src/artifacts/store.js';
import { type BackboneEngine, createEngine, type ForwardStep } from '../../../src/gateway/engine/engine.js';
import type { AdapterInput } from '../../../src/gateway/engine/step-inputs.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { every } from '../../support/exhaustive.js';
import { onnxFixtures, packedOnnxFixture } from '../../support/onnx-fixtures.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError } from '../../support/packed-model.js';

const [B, S, P] = [3, 7, 4];

/** Values that look random and are the same in every run. */
function values(shape: readonly number[], phase: number): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length }, (_, i) => Math.sin(phase * 12.9898 + i * 78.233)),
  );
}

function stepOf(engine: BackboneEngine, kind: AdapterInput['kind'], training: boolean): ForwardStep {
  const { hiddenSize, numLayers, numKvHeads, headDim } = engine.artifact.manifest.dims;
  const shape = kind === 'prefix' ? [numLayers, 2, P, numKvHeads, headDim] : [P, hiddenSize];
  const inputs = {
    hiddenStates: values([B, S, hiddenSize], 1),
    adapter: kind === 'none' ? { kind } : { kind, value: values(shape, 2) },
    positions: BigInt64Array.of(0n, 3n, 9n, 20n),
  };
  return { tenant: 'acme', stepId: `${kind}-${training}`, inputs: checkInputs(inputs, engine.artifact.manifest), training };
}

interface Backbone {
  readonly name: string;
  readonly kinds: readonly AdapterInput['kind'][];
  /** Gives the backbone's directory. */
  readonly pack: () => Promise<string>;
}

const backbones: readonly Backbone[] = [
  ...['gpt2-tiny', 'llama-tiny', 'gemma2-tiny', 'phi3-tiny', 'qwen3-tiny'].map((name) => ({
    name,
    kinds: spanKinds,
    pack: async () => (await packedFixture(name, { bottom: 1, top: 1 })).backboneDir,
  })),
  ...onnxFixtures.map((fixture) => ({
    name: fixture.name,
    kinds: ['none', 'softPrompt'] as const,
    pack: async () => (await packedOnnxFixture(fixture)).backboneDir,
  })),
];

for (const { name, kinds, pack } of every(3, backbones)) {
  describe(`forward without residuals: ${name}`, () => {
    let engine: BackboneEngine;
    before(async () => {
      engine = await createEngine({ artifact: await loadBackbone(await pack()), workers: 1, threadsPerWorker: 1 });
    });
    after(() => engine?.close());

    for (const kind of kinds) {
      it(`gives with ${kind} the rows of a training step's forward, and keeps nothing`, async () => {
        const { stepsHeld } = engine.stats();
        const alone = await engine.forward(stepOf(engine, kind, false));
        assert.equal(engine.stats().stepsHeld, stepsHeld);
        const trained = await engine.forward(stepOf(engine, kind, true));
        assert.ok(engine.stats().residualBytes > 0, 'the training step kept residuals');
        const error = maxRelativeError(alone, trained);
        assert.ok(error <= 1e-5, `relative error ${error}`);
        const { forward, infer, residuals } = engine.artifact.manifest.graphs[kind]!;
        assert.deepEqual(infer.outputs, ['output']);
        assert.deepEqual(infer.inputs, forward.inputs);
        assert.ok(residuals.length > 0);
        await engine.backward({
          tenant: 'acme',
          stepId: `${kind}-true`,
          cotangent: values([4, engine.artifact.manifest.dims.hiddenSize], 3),
          wantHiddenStates: true,
        });
      });
    }
  });
}

describe('forward without residuals', () => {
  let engine: BackboneEngine;
  before(async () => {
    const { backboneDir } = await packedFixture('gpt2-tiny');
    const artifact = await loadBackbone(backboneDir);
    const { none } = artifact.manifest.graphs;
    // A file that is no graph: whatever opens it fails.
    const broken = { ...none, infer: { ...none.infer, file: artifact.manifest.weightsFile } };
    const manifest = { ...artifact.manifest, graphs: { ...artifact.manifest.graphs, none: broken } };
    engine = await createEngine({ artifact: { ...artifact, manifest }, workers: 1, threadsPerWorker: 1 });
  });
  after(() => engine?.close());

  it('is the graph of every step that is not for training, and is opened when first needed', async () => {
    await engine.forward(stepOf(engine, 'none', true));
    await assert.rejects(engine.forward(stepOf(engine, 'none', false)), { code: 'INVALID_ARTIFACT' });
  });

  it('is never the graph of a training step, not of one that comes again nor of one whose residuals find no room', async () => {
    const step = { ...stepOf(engine, 'none', true), stepId: 'again' };
    const output = await engine.forward(step);
    assert.deepEqual(await engine.forward(step), output);
    const small = await createEngine({ artifact: engine.artifact, workers: 1, threadsPerWorker: 1, residualMemoryBytes: 8192 });
    try {
      assert.deepEqual(await small.forward(step), output);
      // Their size is known now: they are not even fetched.
      assert.deepEqual(await small.forward({ ...step, stepId: 'after' }), output);
      assert.equal(small.stats().residualBytes, 0);
    } finally {
      await small.close();
    }
  });
});
