/** A trainer of a soft prompt through a gateway in a process of its own, over TLS. */
import { type Batch, makeBatch, SoftPrompt, TrainingClient } from '../clients/typescript/index.js';
import type { StepSize } from './compiler.js';
import type { Work } from './paired.js';
import { randomExamples } from './random-examples.js';
import { type BenchGateway, type Model, openOwnSession } from './session.js';
import { StepClock, type StepParts } from './step-parts.js';

/** A trainer through a gateway of its own. */
export interface GatewayTrainer {
  readonly gateway: BenchGateway;
  readonly bytes: () => number;
  readonly step: Work;
  /** A step, with where its time goes. */
  parts(): Promise<StepParts>;
  close(): Promise<void>;
}

/** Starts a gateway, and a trainer of the tenant `bench`. @param more flags of the gateway */
export async function openGatewayTrainer(model: Model, size: StepSize, more: readonly string[] = []): Promise<GatewayTrainer> {
  const { gateway, bundle, connection, close } = await openOwnSession(model, { more });
  const adapter = await SoftPrompt.create(bundle, size.virtualTokens, { init: 'SAMPLE_VOCAB', seed: 1 });
  const client = new TrainingClient(bundle, connection, adapter, { learningRate: 1e-3 });
  const batch = randomBatch(bundle.vocabSize, size);
  const clock = new StepClock(client, bundle, gateway.ready.admin);
  const step = async (): Promise<void> => {
    await client.forwardBackward(batch);
    await client.optimStep();
  };
  return {
    gateway,
    bytes: () => connection.counters.bytesUp + connection.counters.bytesDown,
    step,
    parts: () => clock.parts(step),
    close,
  };
}

/** Random sequences, loss on every token. */
export function randomBatch(vocabSize: number, size: StepSize): Batch {
  return makeBatch(randomExamples(vocabSize, size));
}
