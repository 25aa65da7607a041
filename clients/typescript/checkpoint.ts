/**
 * Training state on disk: PEFT's two adapter files, `optimizer.safetensors` with AdamW's moments, and `state.json`. A checkpoint directory
 * appears whole or not at all; the newest two are kept.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../src/errors.js';
import { readTensors, writeTensors } from '../../src/safetensors/tensors-file.js';
import { f32 } from '../../src/tensor/tensor.js';
import type { AdapterDims } from './adapters/adapter.js';
import { type LoadedAdapter, loadPeft } from './adapters/peft.js';
import type { SpanAdapter as Adapter } from './adapters/span-adapter.js';
import { writeDirectoryAtomic, writeFileAtomic } from './atomic-file.js';
import type { AdamWState } from './optimizers/adamw.js';

const STATE_FILE = 'state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
const KEPT_CHECKPOINTS = 2;

const stateSchema = z.object({
  format: z.literal('cutlayer-training-state'),
  formatVersion: z.literal(1),
  step: z.int().min(0),
  extra: z.record(z.string(), z.unknown()),
});

/** What is read back. */
export interface TrainingState {
  readonly adapter: LoadedAdapter;
  readonly optimizer: AdamWState;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Writes a state, replacing the directory if it exists. */
export async function writeTrainingState(
  dir: string,
  state: { readonly adapter: Adapter; readonly optimizer: AdamWState; readonly extra: Readonly<Record<string, unknown>> },
): Promise<void> {
  const { step, expAvg, expAvgSq } = state.optimizer;
  await writeDirectoryAtomic(dir, async (temporary) => {
    await state.adapter.save(temporary);
    await writeTensors(join(temporary, OPTIMIZER_FILE), {
      exp_avg: f32([expAvg.length], expAvg),
      exp_avg_sq: f32([expAvgSq.length], expAvgSq),
    });
    const json = { format: 'cutlayer-training-state', formatVersion: 1, step, extra: state.extra };
    await writeFileAtomic(join(temporary, STATE_FILE), `${JSON.stringify(json, null, 2)}\n`);
  });
}

/** Reads a state. @throws CutlayerError NOT_FOUND, INVALID_ADAPTER, INVALID_SAFETENSORS */
export async function readTrainingState(dir: string, dims: AdapterDims): Promise<TrainingState> {
  const { step, extra } = await readStateFile(dir);
  const { tensors } = await readTensors(join(dir, OPTIMIZER_FILE));
  const expAvg = tensors.get('exp_avg')?.data;
  const expAvgSq = tensors.get('exp_avg_sq')?.data;
  if (!(expAvg instanceof Float32Array) || !(expAvgSq instanceof Float32Array)) {
    throw new CutlayerError('INVALID_ADAPTER', `${join(dir, OPTIMIZER_FILE)}: expected float32 tensors exp_avg and exp_avg_sq`);
  }
  return { adapter: await loadPeft(dir, dims), optimizer: { step, expAvg, expAvgSq }, extra };
}

async function readStateFile(dir: string): Promise<z.infer<typeof stateSchema>> {
  const file = join(dir, STATE_FILE);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${dir}: no ${STATE_FILE} here; PEFT's files alone cannot resume training`, { cause });
  });
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CutlayerError('INVALID_ADAPTER', `${file}: not a training state of this version`, { cause });
  }
}

/** The directory of the checkpoint after `step`. */
export function checkpointPath(outDir: string, step: number): string {
  return join(outDir, 'checkpoints', `step-${String(step).padStart(8, '0')}`);
}

/** The newest checkpoint of a run; undefined when there is none. */
export async function latestCheckpoint(outDir: string): Promise<string | undefined> {
  const newest = (await listCheckpoints(outDir)).at(-1);
  return newest === undefined ? undefined : join(outDir, 'checkpoints', newest);
}

/** Removes all but the newest checkpoints, and what an interrupted write has left. */
export async function pruneCheckpoints(outDir: string): Promise<void> {
  const dir = join(outDir, 'checkpoints');
  const old = (await listCheckpoints(outDir)).slice(0, -KEPT_CHECKPOINTS);
  const doomed = old.map((name) => join(dir, name));
  for (const parent of [outDir, dir]) {
    doomed.push(...(await entries(parent)).filter((name) => name.startsWith('.tmp-')).map((name) => join(parent, name)));
  }
  for (const path of doomed) await rm(path, { recursive: true, force: true });
}

async function listCheckpoints(outDir: string): Promise<readonly string[]> {
  return (await entries(join(outDir, 'checkpoints'))).filter((name) => /^step-\d{8,}$/.test(name)).sort();
}

function entries(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}
