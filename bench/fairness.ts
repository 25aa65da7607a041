/** A training step alone, and beside a tenant that floods the gateway with steps of that size. */
import { setImmediate } from 'node:timers/promises';
import type { BackboneArtifact } from '../src/artifacts/store.js';
import { type BackboneEngine, createEngine } from '../src/gateway/engine/engine.js';
import { f32 } from '../src/tensor/tensor.js';
import { checkInputs } from '../test/support/checked-inputs.js';
import { tinyBackbone } from '../test/support/tiny-backbone.js';
import { median } from './paired.js';
import type { Report } from './report.js';

const size = { hiddenSize: 256, numLayers: 12, batch: 4, sequence: 128 } as const;
/** Steps that the flooding tenant has at the gateway at a time. */
const FLOOD = 16;

/** Medians over `steps` steps of the quiet tenant. */
export async function benchFairness(report: Report, steps: number): Promise<void> {
  const artifact = await tinyBackbone(size);
  const engine = await createEngine({ artifact, workers: 1, queueLimit: 2 * FLOOD });
  try {
    const alone = await medianStep(engine, artifact, steps);
    let flooding = true;
    const flood = Array.from({ length: FLOOD }, async (_, lane) => {
      for (let at = 0; flooding; at++) await step(engine, artifact, 'loud', `${lane}-${at}`);
    });
    const beside = await medianStep(engine, artifact, steps);
    flooding = false;
    await Promise.all(flood);
    report.add('fairness: step alone', alone, 'ms');
    report.add(`fairness: step beside a tenant with ${FLOOD} steps waiting`, beside, 'ms', { baseline: 'alone', ratio: beside / alone });
  } finally {
    await engine.close();
  }
}

async function medianStep(engine: BackboneEngine, artifact: BackboneArtifact, steps: number): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < steps; at++) {
    const started = performance.now();
    await step(engine, artifact, 'quiet', `${started}`);
    times.push(performance.now() - started);
    await setImmediate();
  }
  return median(times);
}

/** Forward and Backward of one step, whose rows are all answered. */
async function step(engine: BackboneEngine, { manifest }: BackboneArtifact, tenant: string, stepId: string): Promise<void> {
  const { batch, sequence, hiddenSize } = size;
  const rows = batch * sequence;
  const values = () => new Float32Array(rows * hiddenSize).fill(0.1);
  const positions = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
  const inputs = { hiddenStates: f32([batch, sequence, hiddenSize], values()), adapter: { kind: 'none' } as const, positions };
  await engine.forward({ tenant, stepId, inputs: checkInputs(inputs, manifest), training: true });
  await engine.backward({ tenant, stepId, cotangent: f32([rows, hiddenSize], values()), wantHiddenStates: true });
}
