/** Starts the client of a job, in a process of its own (trainer-process.ts). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Driven, startDriven } from '../baseline.js';
import type { BenchGateway, Model } from '../session.js';
import type { Job } from './job.js';
import type { TrainerJob } from './trainer-process.js';

/** What a trainer works with. */
export interface TrainerSetting extends Pick<TrainerJob, 'shareText'> {
  /** A folder for the trainer's own file. */
  readonly dir: string;
  readonly model: Model;
  readonly gateway: BenchGateway;
  readonly job: Job;
}

/** Starts one. @throws Error when it ends before it is ready */
export async function startTrainer({ dir, model, gateway, job, shareText = true }: TrainerSetting): Promise<Driven> {
  const { listen: address, admin, caFile: ca } = gateway.ready;
  const { batchesFile, adapterDir } = job;
  const trainer: TrainerJob = { packedDir: model.packedDir, address, admin, ca, token: gateway.token, batchesFile, adapterDir, shareText };
  const file = join(dir, 'trainer.json');
  await writeFile(file, JSON.stringify(trainer), { mode: 0o600 });
  const script = fileURLToPath(new URL('trainer-process.js', import.meta.url));
  const started = await startDriven({ name: 'the client', program: process.execPath, args: [script, file], messages: 'shown' });
  if (started === undefined) throw new Error('the client ended before it was ready; its message is above');
  return started;
}
