/**
 * Training state on disk: the adapter in PEFT's format; all trained tensors
 * (`parameters.safetensors`, with encoders, which PEFT leaves out); AdamW's moments
 * (`optimizer.safetensors`); `state.json`. A directory appears whole or not at all; the newest two
 * are kept.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../../../src/files/atomic-file.js';
import { readTensors, writeTensors } from '../../../src/safetensors/tensors-file.js';
import type { Adapter } from '../adapters/adapter.js';
import type { AdamWState } from '../optimizers/adamw.js';
import { momentTensors, savedMoments, savedValues } from './optimizer-state.js';

const STATE_FILE = 'state.json';
const PARAMETERS_FILE = 'parameters.safetensors';
const OPTIMIZER_FILE = 'optimizer.safetensors';
const KEPT_CHECKPOINTS = 2;

const stateSchema = z.object({
  format: z.literal('cutlayer-training-state'),
  formatVersion: z.literal(2),
  method: z.string(),
  step: z.int().min(0),
  extra: z.record(z.string(), z.unknown()),
});

/** What is read back: one entry per parameter of the adapter, in its order. */
export interface TrainingState {
  readonly parameters: readonly Float32Array[];
  readonly optimizers: readonly AdamWState[];
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Writes a state, replacing `dir`. @param state.optimizers one per parameter, in their order */
export async function writeTrainingState(
  dir: string,
  state: {
    readonly adapter: Adapter;
    readonly optimizers: readonly AdamWState[];
    readonly extra: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  const { adapter, optimizers, extra } = state;
  await writeDirectoryAtomic(dir, async (temporary) => {
    await adapter.save(temporary);
    await writeTensors(join(temporary, PARAMETERS_FILE), Object.fromEntries(adapter.parameters.map(({ name, value }) => [name, value])));
    await writeTensors(join(temporary, OPTIMIZER_FILE), momentTensors(adapter.parameters, optimizers));
    const step = optimizers[0]?.step ?? 0;
    const json = { format: 'cutlayer-training-state', formatVersion: 2, method: adapter.method, step, extra };
    await writeFileAtomic(join(temporary, STATE_FILE), `${JSON.stringify(json, null, 2)}\n`);
  });
}

/**
 * Reads a state for an adapter in training, which is not changed.
 * @throws CutlayerError ADAPTER_MISMATCH (another method, other shapes); NOT_FOUND, INVALID_ADAPTER
 *   or INVALID_SAFETENSORS (broken)
 */
export async function readTrainingState(dir: string, adapter: Pick<Adapter, 'method' | 'parameters'>): Promise<TrainingState> {
  const { method, step, extra } = await readStateFile(dir);
  if (method !== adapter.method) {
    throw new CutlayerError(
      'ADAPTER_MISMATCH',
      `${dir}: holds a run of ${method}, but ${adapter.method} is in training; use the same --method`,
    );
  }
  const [values, moments] = [await readTensors(join(dir, PARAMETERS_FILE)), await readTensors(join(dir, OPTIMIZER_FILE))];
  const expected = new Set(adapter.parameters.map(({ name }) => name));
  const other = [...values.tensors.keys()].find((name) => !expected.has(name));
  if (other !== undefined) {
    throw new CutlayerError('ADAPTER_MISMATCH', `${join(dir, PARAMETERS_FILE)}: ${other} is not trained now; use the settings of that run`);
  }
  return {
    parameters: adapter.parameters.map((parameter) => savedValues(values.tensors, join(dir, PARAMETERS_FILE), parameter.name, parameter)),
    optimizers: savedMoments(moments.tensors, join(dir, OPTIMIZER_FILE), adapter.parameters, step),
    extra,
  };
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

/** The checkpoints of a run, the newest first. */
export async function checkpointsOf(outDir: string): Promise<readonly string[]> {
  const dir = join(outDir, 'checkpoints');
  const names = (await entries(dir)).filter((name) => /^step-\d{8,}$/.test(name));
  return names
    .sort()
    .map((name) => join(dir, name))
    .reverse();
}

/** The newest checkpoint that was written before `step`; undefined when there is none. */
export async function checkpointBefore(outDir: string, step: number): Promise<string | undefined> {
  return (await checkpointsOf(outDir)).find((dir) => Number(basename(dir).slice('step-'.length)) < step);
}

/** Keeps the newest checkpoints, removes others and partial writes. @param keep always stays */
export async function pruneCheckpoints(outDir: string, keep?: string): Promise<void> {
  const doomed = (await checkpointsOf(outDir)).slice(KEPT_CHECKPOINTS).filter((dir) => dir !== keep);
  for (const parent of [outDir, join(outDir, 'checkpoints')]) {
    doomed.push(...(await entries(parent)).filter((name) => name.startsWith('.tmp-')).map((name) => join(parent, name)));
  }
  for (const path of doomed) await rm(path, { recursive: true, force: true });
}

function entries(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}
