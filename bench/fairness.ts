/**
 * A training step alone, and beside a tenant that floods the gateway: with steps of its own size,
 * and with the largest ones. The quiet tenant calls back to back, as no client can; then it works
 * between its calls for as long as one of them takes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackboneArtifact } from '../src/artifacts/store.js';
import { type BackboneEngine, createEngine } from '../src/gateway/engine/engine.js';
import { f32 } from '../src/tensor/tensor.js';
import { checkInputs } from '../test/support/checked-inputs.js';
import { tinyBackbone } from '../test/support/tiny-backbone.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const model = { hiddenSize: 256, numLayers: 12 } as const;
/** Sequences of 128 tokens: of the quiet tenant's steps, and of the largest legal ones. */
const [QUIET, LARGEST] = [4, 128];
const SEQUENCE = 128;
/** Steps that the flooding tenant has at the gateway at a time. */
const FLOOD = 16;

/** Medians over `steps` steps of the quiet tenant. */
export async function benchFairness(report: Report, steps: number): Promise<void> {
  const artifact = await tinyBackbone(model);
  const engine = await createEngine({ artifact, workers: 1, queueLimit: 2 * FLOOD });
  try {
    for (const batch of [QUIET, LARGEST]) {
      const callMs = (await medianStep(engine, artifact, steps, 0)) / 2;
      for (const workMs of [0, callMs]) {
        const alone = await medianStep(engine, artifact, steps, workMs);
        let flooding = true;
        const flood = Array.from({ length: FLOOD }, async (_, lane) => {
          for (let at = 0; flooding; at++)
            await step(engine, artifact, { tenant: 'loud', stepId: `${batch}-${workMs}-${lane}-${at}` }, batch, 0);
        });
        const beside = await medianStep(engine, artifact, steps, workMs);
        flooding = false;
        await Promise.all(flood);
        const how = workMs === 0 ? 'back to back' : 'with work between its calls';
        report.add(`fairness: step of ${QUIET * SEQUENCE} rows, ${how}, beside ${FLOOD} of ${batch * SEQUENCE}`, beside, 'ms', {
          baseline: `${alone.toFixed(1)} ms alone`,
          ratio: beside / alone,
        });
      }
    }
  } finally {
    await engine.close();
  }
}

async function medianStep(engine: BackboneEngine, artifact: BackboneArtifact, steps: number, workMs: number): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < steps; at++) {
    const started = performance.now();
    await step(engine, artifact, { tenant: 'quiet', stepId: `${started}` }, QUIET, workMs);
    times.push(performance.now() - started);
  }
  return median(times);
}

/** Forward and Backward of one step, whose rows are all answered; the client works after each. */
async function step(
  engine: BackboneEngine,
  { manifest }: BackboneArtifact,
  key: { readonly tenant: string; readonly stepId: string },
  batch: number,
  workMs: number,
): Promise<void> {
  const { hiddenSize } = model;
  const rows = batch * SEQUENCE;
  const values = () => new Float32Array(rows * hiddenSize).fill(0.1);
  const positions = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
  const inputs = { hiddenStates: f32([batch, SEQUENCE, hiddenSize], values()), adapter: { kind: 'none' } as const, positions };
  await engine.forward({ ...key, inputs: checkInputs(inputs, manifest), training: true });
  await sleep(workMs);
  await engine.backward({ ...key, cotangent: f32([rows, hiddenSize], values()), wantHiddenStates: true });
  await sleep(workMs);
}
