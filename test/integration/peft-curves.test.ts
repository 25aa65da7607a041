/** Training through a gateway gives PEFT's loss curves, at several cuts of three families. */
import assert from 'node:assert/strict';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  Prefix,
  SoftPrompt,
  schedule,
  TrainingClient,
} from '../../clients/typescript/index.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { type Curve, type Curves, readCurves } from '../support/curves.js';
import { depth, exhaustive } from '../support/exhaustive.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../support/test-gateway.js';

const fixtures = depth(['gpt2-tiny', 'llama-tiny', 'llama3-tiny'], ['gpt2-tiny']);
const cuts = [
  { bottom: 0, top: 0 },
  { bottom: 1, top: 1 },
];
const kinds = ['constant', 'cosine'] as const;

for (const fixture of fixtures) {
  // The short run has the cut that runs every graph; gradients of the others are held to transformers elsewhere.
  for (const cut of exhaustive ? cuts : cuts.slice(1)) {
    describe(`training ${fixture} cut at ${cut.bottom} and ${cut.top} through a gateway`, () => {
      let gateway: TestGateway;
      let bundle: ClientBundle;
      let connection: Connection;
      let curves: Curves;

      before(async () => {
        curves = await readCurves(fixture);
        const { backboneDir, bundleDir } = await packedFixture(fixture, cut);
        gateway = await startTestGateway({ backboneDir });
        bundle = await ClientBundle.open(bundleDir, { threads: 1 });
        connection = await connect({ address: gateway.gateway.listen, ca: gateway.gateway.caFile!, token: await gateway.token() });
      });

      after(async () => {
        connection?.close();
        await bundle?.close();
        await gateway?.close();
      });

      for (const method of ['softPrompt', 'prefix'] as const) {
        // The schedule knows nothing of the model.
        for (const kind of exhaustive || cut.bottom === 0 ? kinds : kinds.slice(0, 1)) {
          it(`has PEFT's losses, norms and final ${method} over 20 ${kind} steps within 1e-4`, async () => {
            const curve = curves.curves.find((item) => item.method === method && item.schedule.kind === kind)!;
            const adapter = initialAdapter(bundle, curve, curves);
            const client = new TrainingClient(bundle, connection, adapter, {
              learningRate: curves.optimizer.learningRate,
              schedule: schedule(kind, curve.schedule),
              optimizer: curves.optimizer,
              maxGradNorm: curve.schedule.maxGradNorm ?? undefined,
            });
            assert.equal(curve.losses.length, 20);
            for (const [step, wanted] of curve.losses.entries()) {
              void client.forwardBackward(curves.batches[curves.batchOfStep[step]!]!);
              const { loss, gradNorm, learningRate } = await client.optimStep();
              assertClose(loss, wanted, 1e-4, `loss of step ${step}`);
              assertClose(gradNorm, curve.gradientNorms[step]!, 1e-3, `gradient norm of step ${step}`);
              assertClose(learningRate, curve.learningRates[step]!, 1e-9, `learning rate of step ${step}`);
            }
            assertTensorClose(adapter.parameters[0]!.value, curves.tensors.get(curve.final)!, 1e-3);
          });
        }
      }
    });
  }
}

function initialAdapter(bundle: ClientBundle, curve: Curve, curves: Curves): Adapter {
  const { shape, data } = curves.tensors.get(curve.initial)!;
  const parameter = { dtype: 'float32', shape, data: data.slice() } as const;
  return curve.method === 'softPrompt' ? new SoftPrompt(bundle, parameter) : new Prefix(bundle, parameter);
}

function assertClose(actual: number, wanted: number, tolerance: number, what: string): void {
  const error = Math.abs(actual - wanted) / Math.max(1e-12, Math.abs(wanted));
  assert.ok(
    error <= tolerance || actual === wanted,
    `${what}: expected ${wanted}, got ${actual} (relative error ${error.toExponential(2)})`,
  );
}

/** max|a - b| / max|b|, the measure of the fixtures. */
function assertTensorClose(actual: Tensor<'float32'>, wanted: Tensor<'float32'>, tolerance: number): void {
  assert.deepEqual(actual.shape, wanted.shape);
  const largest = wanted.data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const error = wanted.data.reduce((max, value, i) => Math.max(max, Math.abs(value - actual.data[i]!)), 0) / largest;
  assert.ok(error <= tolerance, `final adapter: relative error ${error.toExponential(2)}`);
}
