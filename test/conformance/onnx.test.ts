/** Backbones imported from graphs that torch exported, against transformers' values of the checkpoints that they came from. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientBundle, type Connection, connect, SoftPrompt, schedule, TrainingClient } from '../../clients/typescript/index.js';
import type { CutlayerError } from '../../src/errors.js';
import { type BackboneEngine, createEngine } from '../../src/gateway/engine/engine.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { checkInputs } from '../support/checked-inputs.js';
import { readCurves } from '../support/curves.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { onnxFixtures, packedOnnxFixture } from '../support/onnx-fixtures.js';
import { fixtureDir, maxRelativeError, PackedModel, readReference } from '../support/packed-model.js';
import { adapterOf, GRADIENT_TOLERANCE, LOGITS_TOLERANCE, lossErrors, type References, rowsOf } from '../support/reference-errors.js';
import { referenceFixture } from '../support/reference-fixtures.js';

for (const fixture of onnxFixtures) {
  describe(`conformance: ${fixture.name}, exported from ${fixture.checkpoint}`, () => {
    let model: PackedModel;
    let references: References;
    let value: (key: string) => Tensor<'float32'>;

    before(async () => {
      model = await PackedModel.shared(await packedOnnxFixture(fixture));
      const dir = fixtureDir(fixture.checkpoint);
      value = await readReference(dir);
      references = { value, batch: referenceFixture(fixture.checkpoint, dir).document.batch };
    });
    after(() => model?.close());

    it('embeds tokens as transformers does, positions being the graph’s', async () => {
      const { inputsEmbeds } = await model.run('client', model.bundle.manifest.graphs.embed, { tokenIds: value('tokenIds') });
      assert.deepEqual(inputsEmbeds!.data, value('inputsEmbeds').data);
      assert.equal(model.bundle.manifest.graphs.bottom, undefined);
    });

    for (const kind of ['none', 'softPrompt'] as const) {
      it(`${kind}: gives transformers' logits for every real row`, async () => {
        const { rows } = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), rowsOf(value(`${kind}.positions`)));
        const { logits } = await model.run('client', model.bundle.manifest.graphs.head.plain, { rows });
        assert.ok(maxRelativeError(logits!, value(`${kind}.logits`)) <= LOGITS_TOLERANCE);
      });

      it(`${kind}: gives transformers' loss, and its gradients with respect to embeddings and adapter`, async () => {
        const { loss, chunks, ...gradients } = await lossErrors(model, references, kind);
        assert.ok(loss! <= LOGITS_TOLERANCE, `loss: ${loss}`);
        assert.deepEqual(Object.keys(gradients), kind === 'none' ? ['inputsEmbeds'] : ['inputsEmbeds', 'adapter']);
        for (const [name, error] of Object.entries(gradients)) assert.ok(error <= GRADIENT_TOLERANCE, `${name}: ${error}`);
      });

      it(`${kind}: gives padding no gradient`, async () => {
        const positions = rowsOf(value(`${kind}.positions`));
        const step = await model.forward(value('inputsEmbeds'), adapterOf(references, kind), positions);
        const { inputsEmbeds } = await step.backward(f32(step.rows.shape, new Float32Array(step.rows.data.length).fill(1)));
        const [, S = 0, d = 0] = inputsEmbeds.shape;
        for (const [b, length] of references.batch.lengths.entries()) {
          const padding = inputsEmbeds.data.subarray((b * S + length) * d, (b + 1) * S * d);
          assert.ok(padding.every((element) => element === 0));
        }
      });
    }

    describe('in the engine', () => {
      let engine: BackboneEngine;
      before(async () => {
        engine = await createEngine({ artifact: model.backbone, threadsPerWorker: 1 });
      });
      after(() => engine?.close());

      it('gives the same rows and cotangents as its graphs', async () => {
        const adapter = { kind: 'softPrompt', value: value('softPrompt') } as const;
        const positions = rowsOf(value('softPrompt.positions'));
        const wanted = await model.forward(value('inputsEmbeds'), adapter, positions);
        const inputs = { hiddenStates: value('inputsEmbeds'), adapter, positions: BigInt64Array.from(positions, BigInt) };
        const step = { tenant: 'acme', stepId: 's' };
        const rows = await engine.forward({ ...step, inputs: checkInputs(inputs, model.backbone.manifest), training: true });
        assert.ok(maxRelativeError(rows, wanted.rows) <= 1e-6);
        const cotangent = f32(rows.shape, rows.data.map(Math.sin));
        const sent = f32(cotangent.shape, cotangent.data.slice());
        const { adapterCotangent } = await engine.backward({ ...step, cotangent: sent, wantHiddenStates: false });
        assert.ok(maxRelativeError(adapterCotangent!, (await wanted.backward(cotangent)).adapter!) <= 1e-5);
      });

      it('refuses a prefix by name', () => {
        const prefix = { kind: 'prefix', value: f32([1, 2, 3, 1, 4], new Float32Array(24)) } as const;
        const inputs = { hiddenStates: value('inputsEmbeds'), adapter: prefix, positions: BigInt64Array.of(0n) };
        assert.throws(
          () => checkInputs(inputs, model.backbone.manifest),
          (error: CutlayerError) => {
            assert.equal(error.code, 'ADAPTER_UNSUPPORTED');
            assert.match(error.message, /^prefix: this backbone cannot be adapted by one/);
            return true;
          },
        );
      });
    });
  });
}

describe('training through a gateway that serves a graph exported by torch', () => {
  const [fixture] = onnxFixtures;
  let root: string;
  let gateway: GatewayHere;
  let bundle: ClientBundle;
  let connection: Connection;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-onnx-'));
    const { backboneDir, bundleDir } = await packedOnnxFixture(fixture!);
    gateway = await startGatewayHere({ backboneDir });
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    connection = await connect({ address: gateway.address, ca: gateway.caFile!, token: await gateway.token('acme') });
  });
  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('lists soft prompts on the model card, and no prefixes', async () => {
    const { adapters, family } = connection.card;
    assert.deepEqual([family, adapters], ['onnx', ['softPrompt']]);
  });

  it("has PEFT's losses over five steps within 1e-4", async () => {
    const curves = await readCurves(fixture!.checkpoint);
    const curve = curves.curves.find(({ method, schedule }) => method === 'softPrompt' && schedule.kind === 'constant')!;
    const { shape, data } = curves.tensors.get(curve.initial)!;
    const adapter = new SoftPrompt(bundle, f32(shape, data.slice()));
    const client = new TrainingClient(bundle, connection, adapter, {
      learningRate: curves.optimizer.learningRate,
      schedule: schedule('constant', curve.schedule),
      optimizer: curves.optimizer,
      maxGradNorm: curve.schedule.maxGradNorm ?? undefined,
    });
    for (const [step, wanted] of curve.losses.slice(0, 5).entries()) {
      void client.forwardBackward(curves.batches[curves.batchOfStep[step]!]!);
      const { loss } = await client.optimStep();
      assert.ok(Math.abs(loss - wanted) <= 1e-4 * Math.abs(wanted), `loss of step ${step}: expected ${wanted}, got ${loss}`);
    }
    // The graph's heads and blocks are not known: PEFT fills them in.
    await adapter.save(join(root, 'adapter'));
    const config = JSON.parse(await readFile(join(root, 'adapter/adapter_config.json'), 'utf8')) as Readonly<Record<string, unknown>>;
    assert.deepEqual([config.num_attention_heads, config.num_layers, config.token_dim], [null, null, shape[1]]);
  });
});
