/**
 * A client that trains on a job, in a process of its own, so that its memory is its own. Driven as
 * the baselines in python are: `step 1` runs the next batch's step, `quit` ends. Its one argument
 * is a file with a {@link TrainerJob}.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadAdapter, TrainingClient } from '../../clients/typescript/index.js';
import { openSession } from '../session.js';
import { StepClock } from '../step-parts.js';
import { optimizer, readBatches } from './job.js';

/** What the trainer needs. */
export interface TrainerJob {
  readonly packedDir: string;
  readonly address: string;
  /** host:port of the gateway's admin port. */
  readonly admin: string;
  readonly ca: string;
  readonly token: string;
  readonly batchesFile: string;
  readonly adapterDir: string;
  /** Whether text that a batch shares is sent once. Default true. */
  readonly shareText?: boolean;
}

const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const job = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as TrainerJob;
const { bundle, connection, close } = await openSession(job.packedDir, job);
const { learningRate, weightDecay } = optimizer;
const adapter = await loadAdapter(job.adapterDir, { bundle });
const client = new TrainingClient(bundle, connection, adapter, { learningRate, optimizer: { weightDecay } });
const clock = new StepClock(client, bundle, job.admin);
const batches = readBatches(job.batchesFile);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'step 1') break;
  const { bytesUp, bytesDown } = connection.counters;
  let loss = Number.NaN;
  const parts = await clock.parts(async () => {
    await client.forwardBackward(batches[client.step % batches.length]!);
    ({ loss } = await client.optimStep());
  });
  const { counters } = connection;
  say({ loss, parts, bytes: counters.bytesUp - bytesUp + (counters.bytesDown - bytesDown) });
}
await close();
