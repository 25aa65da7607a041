/** Every method through a gateway: PEFT's loss curves, PEFT's files read with PEFT's logits, and our files as PEFT writes them. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { methodNames } from '../../clients/typescript/adapters/adapter.js';
import { loadAdapter } from '../../clients/typescript/adapters/load.js';
import { methods } from '../../clients/typescript/adapters/registry.js';
import { type Connection, connect } from '../../clients/typescript/connection/connect.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../clients/typescript/model/split-model.js';
import { TrainingClient } from '../../clients/typescript/training/training-client.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { exhaustive } from '../support/exhaustive.js';
import {
  allLogits,
  caseAdapter,
  caseContext,
  methodCaseNames,
  methodFamilies,
  plainName,
  readMethodCase,
} from '../support/method-curves.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../support/test-gateway.js';

/** What the checkpoint's and the trainer's paths decide, and how the prompt began: not the adapter's to know. */
const NOT_COMPARED = [
  'base_model_name_or_path',
  'prompt_tuning_init',
  'prompt_tuning_init_text',
  'tokenizer_name_or_path',
  // PEFT appends its own names once more with each adapter that it adds.
  'modules_to_save',
];

describe('the table of methods', () => {
  const cases = methodFamilies().flatMap((family) => methodCaseNames(family).map((item) => ({ family, ...item })));

  it('has thirty steps of PEFT for every method of the registry, and no other', () => {
    const covered = new Set(cases.flatMap(({ method }) => method.split('+')));
    assert.deepEqual([...covered].sort(), Object.keys(methods).sort());
    assert.deepEqual(Object.keys(methods).sort(), [...methodNames].sort());
    for (const { family, name, steps } of cases) assert.equal(steps, 30, `${family}/${name}`);
  });

  it('has prompt, P- and prefix tuning on three families at least', () => {
    for (const method of ['prompt-tuning', 'p-tuning', 'prefix-tuning']) {
      const families = new Set(cases.flatMap((item) => (item.method === method ? [item.family] : [])));
      assert.ok(families.size >= 3, `${method}: ${[...families].join(', ')}`);
    }
  });
});

/** Families with whole curves in `npm test`: every case has one on the first of these that has it. */
const withWholeCurves = ['gpt2-tiny', 'llama-tiny'];

/** Cases with whole curves in `npm test`; of the others it has the first steps. */
const wholeCurves = ['prompt-tuning', 'prefix-tuning', 'lora-blocks'];

/** Families in `npm test`; the exhaustive run has all. */
const sampled = ['gpt2-tiny', 'llama-tiny'];

for (const family of methodFamilies().filter((name) => exhaustive || sampled.includes(name))) {
  const cases = methodCaseNames(family);
  for (const cut of [
    { bottom: 0, top: 0 },
    { bottom: 1, top: 1 },
  ]) {
    // `npm test` tries each method at the cut that runs every graph.
    const here = cases.filter(
      ({ cuts }) =>
        cuts.some(({ bottom, top }) => bottom === cut.bottom && top === cut.top) && !(!exhaustive && cut.top === 0 && cuts.length > 1),
    );
    if (here.length === 0) continue;
    describe(`methods on ${family} cut at ${cut.bottom} and ${cut.top} through a gateway`, () => {
      let gateway: TestGateway;
      let bundle: ClientBundle;
      let connection: Connection;
      let model: SplitModel;
      let dir: string;

      before(async () => {
        dir = await mkdtemp(join(tmpdir(), 'cutlayer-methods-'));
        const { backboneDir, bundleDir } = await packedFixture(family, cut);
        gateway = await startTestGateway({ backboneDir });
        bundle = await ClientBundle.open(bundleDir, { threads: 1 });
        connection = await connect({ address: gateway.gateway.listen, ca: gateway.gateway.caFile!, token: await gateway.token() });
        model = new SplitModel(bundle, new RemoteModel(connection));
      });

      after(async () => {
        connection?.close();
        await bundle?.close();
        await gateway?.close();
        await rm(dir, { recursive: true, force: true });
      });

      for (const { name } of here) {
        // Where the curve stops early, its end is not compared.
        const first = withWholeCurves.find((at) => methodCaseNames(at).some((other) => other.name === name));
        const whole = exhaustive || (cut.top === 1 && family === first && wholeCurves.includes(name));
        const steps = whole ? 30 : 5;

        it(`${name}: the reference's losses over ${steps} steps within 1e-4, its norms, and where they lead`, async () => {
          const item = await readMethodCase(family, name);
          const adapter = await caseAdapter(bundle, item, item.initial);
          const { optimizer } = item;
          const client = new TrainingClient(bundle, connection, adapter, { learningRate: optimizer.learningRate, optimizer });
          for (const [step, wanted] of item.losses.slice(0, steps).entries()) {
            void client.forwardBackward(item.batches[step % item.batches.length]!);
            const { loss, gradNorm } = await client.optimStep();
            assertClose(loss, wanted, 1e-4, `loss of step ${step}`);
            assertClose(gradNorm, item.gradientNorms[step]!, 1e-3, `gradient norm of step ${step}`);
          }
          if (!whole) return;
          for (const { name: parameter, value } of adapter.parameters) {
            const wanted = item.final.get(plainName(parameter));
            if (item.final.size > 0) assertTensorClose(value, wanted!, 1e-3, parameter);
          }
          assertTensorClose(await allLogits(model, adapter, item.logitsBatch), item.logits, 1e-3, 'logits after training');
        });

        it(`${name}: PEFT's files give PEFT's logits within 1e-5`, async function () {
          const item = await readMethodCase(family, name);
          if (item.peftDir === undefined) return this.skip();
          const adapter = await loadAdapter(item.peftDir, caseContext(bundle));
          assertTensorClose(await allLogits(model, adapter, item.logitsBatch), item.logits, 1e-5, 'logits');
        });

        it(`${name}: what is saved is what PEFT saves, and gives the same logits when loaded again`, async function () {
          const item = await readMethodCase(family, name);
          if (item.peftDir === undefined) return this.skip();
          const adapter = await caseAdapter(bundle, item, item.final);
          const saved = await mkdtemp(join(dir, 'adapter-'));
          await adapter.save(saved);
          const [ours, theirs] = await Promise.all(
            [saved, item.peftDir].map((path) => readTensors(join(path, 'adapter_model.safetensors'))),
          );
          assert.deepEqual([...ours!.tensors.keys()].sort(), [...theirs!.tensors.keys()].sort());
          for (const [key, value] of theirs!.tensors) {
            assertTensorClose(ours!.tensors.get(key) as Tensor<'float32'>, value as Tensor<'float32'>, 1e-5, key);
          }
          const modules = [...ours!.tensors.keys()];
          assert.deepEqual(await comparable(saved, modules), await comparable(item.peftDir, modules));
          const again = await loadAdapter(saved, caseContext(bundle));
          assertTensorClose(await allLogits(model, again, item.logitsBatch), item.logits, 1e-5, 'logits');
        });
      }
    });
  }
}

/** An adapter's config without what is not compared; patterns of modules as the tensors that they select. */
async function comparable(dir: string, tensors: readonly string[]): Promise<Record<string, unknown>> {
  const config = JSON.parse(await readFile(join(dir, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
  for (const field of NOT_COMPARED) delete config[field];
  const { target_modules: modules, layers_to_transform: layers, ...rest } = config;
  if (!Array.isArray(modules)) return config;
  const inLayers = (name: string) => !Array.isArray(layers) || layers.some((layer) => name.includes(`.${layer}.`));
  return { ...rest, selected: tensors.filter((name) => inLayers(name) && modules.some((module) => name.includes(`.${module}.lora_`))) };
}

function assertClose(actual: number, wanted: number, tolerance: number, what: string): void {
  const error = Math.abs(actual - wanted) / Math.abs(wanted);
  assert.ok(error <= tolerance, `${what}: expected ${wanted}, got ${actual} (relative error ${error.toExponential(2)})`);
}

/** max|a - b| / max|b|, the measure of the fixtures. */
function assertTensorClose(actual: Tensor<'float32'>, wanted: Tensor<'float32'>, tolerance: number, what: string): void {
  assert.deepEqual(actual.shape, wanted.shape, what);
  const largest = wanted.data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const error = wanted.data.reduce((max, value, i) => Math.max(max, Math.abs(value - actual.data[i]!)), 0) / largest;
  assert.ok(error <= tolerance, `${what}: relative error ${error.toExponential(2)}`);
}
