/** What an adapter's files say: method, shapes, sizes, norms and training progress. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { CONFIG_FILE, jsonOf, readAdapterConfig, WEIGHTS_FILE } from '../adapters/adapter-config.js';
import { PARTIAL_FILE } from '../adapters/partial-checkpoint.js';
import { methods } from '../adapters/registry.js';
import { readSidecar, SIDECAR_FILE, type Sidecar } from '../adapters/sidecar.js';
import { trainedDefences } from '../adapters/trained-on.js';
import type { RecordedDefence } from '../defences/defence.js';
import { parseRecorded } from '../defences/recorded.js';
import { checkpointsOf } from '../training/checkpoint.js';
import { METRICS_FILE, readMetrics } from '../training/metrics.js';
import { type TensorReport, tensorReports } from './tensor-report.js';

/** One adapter; a combination has several. */
export interface PartReport {
  readonly dir: string;
  readonly method: string;
  /** Null where PEFT has no format for the method: the files are transformers' weights. */
  readonly peftType: string | null;
  /** `base_model_name_or_path`, where PEFT wrote the files. */
  readonly base: string | null;
  /** Fields of `adapter_config.json` that are set, those above apart. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorReport[];
  readonly parameters: number;
  readonly bytes: number;
}

/** Of a checkpoint: what resuming would go on from. */
export interface TrainingReport {
  readonly step: number;
  /** Tensors and bytes of AdamW's moments. */
  readonly optimizer: { readonly tensors: number; readonly bytes: number };
  /** Settings and progress that the run kept. */
  readonly settings: unknown;
  readonly progress: unknown;
}

/** Of a run's directory. */
export interface RunReport {
  readonly steps: number;
  readonly lastLoss: number | null;
  readonly bestValidationLoss: number | null;
  readonly checkpoints: readonly string[];
  readonly losses: readonly number[];
}

/** Everything that is found at a path. */
export interface AdapterReport {
  readonly found: 'adapter' | 'combination' | 'checkpoint' | 'run';
  /** The directory that was looked at: of a run, its result, its best or its newest checkpoint. */
  readonly dir: string;
  readonly method: string;
  readonly backboneDigest: string | null;
  readonly tokenizerDigest: string | null;
  /** That it was trained with. */
  readonly defences: readonly RecordedDefence[];
  readonly parts: readonly PartReport[];
  readonly parameters: number;
  readonly bytes: number;
  readonly training?: TrainingReport;
  readonly run?: RunReport;
}

/** Reports on a directory. @throws CutlayerError NOT_FOUND, INVALID_ADAPTER, INVALID_SAFETENSORS */
export async function reportAdapter(path: string): Promise<AdapterReport> {
  const run = await runReport(path);
  const dir = await adapterDirectory(path);
  const sidecar = await readSidecar(dir);
  const training = await trainingReport(dir);
  const parts: PartReport[] = [];
  for (const part of sidecar?.parts ?? ['.']) parts.push(await partReport(join(dir, part)));
  const found =
    run !== undefined ? 'run' : training !== undefined ? 'checkpoint' : sidecar?.parts === undefined ? 'adapter' : 'combination';
  const sum = (of: (part: PartReport) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    found,
    dir,
    method: parts.map(({ method }) => method).join('+'),
    backboneDigest: sidecar?.backboneDigest ?? null,
    tokenizerDigest: sidecar?.tokenizerDigest ?? null,
    defences: parseRecorded(await trainedDefences(dir)),
    parts,
    parameters: sum(({ parameters }) => parameters),
    bytes: sum(({ bytes }) => bytes),
    ...(training === undefined ? {} : { training }),
    ...(run === undefined ? {} : { run }),
  };
}

async function partReport(dir: string): Promise<PartReport> {
  const sidecar = await readSidecar(dir);
  const row = Object.values(methods).find(({ method }) => method === sidecar?.method);
  const ownFiles = row !== undefined && row.peftType === null;
  const config: Readonly<Record<string, unknown>> = ownFiles ? {} : await readAdapterConfig(dir);
  const { peft_type, base_model_name_or_path: base, ...rest } = config;
  const peftType = typeof peft_type === 'string' ? peft_type : null;
  const file = join(dir, ownFiles ? PARTIAL_FILE : WEIGHTS_FILE);
  const tensors = await tensorReports(file);
  const settings: Readonly<Record<string, unknown>> = { ...rest, tasks: sidecar?.tasks, labels: sidecar?.labels };
  return {
    dir,
    method: methodOf(peftType, rest.task_type, sidecar),
    peftType,
    base: typeof base === 'string' ? base : null,
    config: Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null && value !== false)),
    tensors,
    parameters: tensors.reduce((total, { parameters }) => total + parameters, 0),
    bytes: (await stat(file)).size,
  };
}

/** @param task `task_type`: with SEQ_CLS a classification head is in the same file. */
function methodOf(peftType: string | null, task: unknown, sidecar: Sidecar | undefined): string {
  if (sidecar !== undefined && sidecar.method !== 'combined') return sidecar.method;
  const method = Object.values(methods).find((row) => row.peftType === peftType)?.method ?? `unknown (${peftType})`;
  return task === 'SEQ_CLS' ? `${method}+classification-head` : method;
}

async function trainingReport(dir: string): Promise<TrainingReport | undefined> {
  const text = await readFile(join(dir, 'state.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const state = jsonOf(join(dir, 'state.json'), text) as {
    readonly step?: unknown;
    readonly extra?: { readonly settings?: unknown; readonly progress?: unknown };
  };
  const file = join(dir, 'optimizer.safetensors');
  const moments = await openSafetensors(file);
  await moments.close();
  return {
    step: Number(state.step),
    optimizer: { tensors: moments.tensors.size, bytes: (await stat(file)).size },
    settings: state.extra?.settings ?? null,
    progress: state.extra?.progress ?? null,
  };
}

/** Undefined when the path is no run's directory. */
async function runReport(path: string): Promise<RunReport | undefined> {
  if (!(await isRun(path))) return undefined;
  const records = await readMetrics(join(path, METRICS_FILE));
  const losses = records.filter(({ type }) => type === 'step').map(({ loss }) => Number(loss));
  const validations = records.filter(({ type }) => type === 'validation').map(({ loss }) => Number(loss));
  return {
    steps: losses.length,
    lastLoss: losses.at(-1) ?? null,
    bestValidationLoss: validations.length === 0 ? null : Math.min(...validations),
    checkpoints: (await checkpointsOf(path)).map((dir) => basename(dir)).reverse(),
    losses,
  };
}

/**
 * The adapter's directory at a path: the path, a run's result, best or newest checkpoint, or the
 * promoted version of a state directory.
 * @throws CutlayerError NOT_FOUND
 */
export async function adapterDirectory(path: string): Promise<string> {
  const names = await namesIn(path);
  // A state directory of improve or federate has its promoted version as a run has its result.
  if (isAdapter(names) || !(names.includes(METRICS_FILE) || names.includes('adapter'))) return path;
  for (const dir of [join(path, 'adapter'), join(path, 'best'), ...(await checkpointsOf(path)).slice(0, 1)]) {
    if (await stat(dir).catch(() => undefined)) return dir;
  }
  throw new CutlayerError('NOT_FOUND', `${path}: the run in ${basename(path)} has written no adapter and no checkpoint yet`);
}

async function isRun(path: string): Promise<boolean> {
  const names = await namesIn(path);
  return names.includes(METRICS_FILE) && !isAdapter(names);
}

function isAdapter(names: readonly string[]): boolean {
  return names.includes(CONFIG_FILE) || names.includes(SIDECAR_FILE);
}

function namesIn(path: string): Promise<readonly string[]> {
  return readdir(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such directory; expected an adapter, a checkpoint or the directory of a run`, {
      cause,
    });
  });
}
