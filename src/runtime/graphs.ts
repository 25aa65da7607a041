/** Runs the graphs of one artifact directory off the main thread, for engine and client. */
import { existsSync, lstatSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { CutlayerError } from '../errors.js';
import type { WeightsFile } from './external-data.js';
import type { NamedTensors } from './protocol.js';
import { type PoolOptions, type PoolResult, type PoolRun, type PoolRunOptions, type PoolStats, WorkerPool } from './worker-pool.js';

/** Which graphs. */
export interface GraphDirectory {
  /** The artifact's directory. */
  readonly dir: string;
  /** File, below `dir`, that the graphs' weights lie in; without it they have none outside. */
  readonly weightsFile?: string;
  /** Graph files, below `dir`. No other can be run. */
  readonly graphs: readonly string[];
}

/** How many threads, how much waiting. */
export interface HostOptions extends Pick<PoolOptions, 'spawn' | 'restartPauseMs' | 'onBroken'> {
  /** Worker threads: graphs that may run at the same time. Default 1. */
  readonly workers?: number | undefined;
  /** Threads of one operator in each worker. Default: the machine's cores over the workers. */
  readonly threads?: number | undefined;
  /** Calls that may wait. Default 64. */
  readonly queueLimit?: number | undefined;
  /**
   * Graphs opened at the start, so that a broken one is found there: all (true, the default), none
   * (false), or these. The others open when a worker is idle, or on first use.
   */
  readonly warm?: boolean | readonly string[];
  /** Graphs whose weights are copied into the order of their products. Default: none. */
  readonly packed?: readonly string[];
  /** Graphs that each worker keeps open. Default 16. */
  readonly maxOpenGraphs?: number | undefined;
}

/** Options of one run. */
export interface RunOptions extends PoolRunOptions, Pick<PoolRun, 'fetches' | 'finite' | 'pruned'> {
  /** Transfers the feeds' own arrays (empty afterwards) instead of copies. Default false. */
  readonly transfer?: boolean;
}

/** The state of a host, for metrics. */
export interface HostStats extends PoolStats {
  readonly workers: number;
  readonly threadsPerWorker: number;
}

/** Open graphs. */
export interface SessionHost {
  /**
   * Runs a graph and gives its outputs by name.
   * @throws CutlayerError NOT_FOUND (no such graph), QUEUE_FULL, CANCELLED, WORKER_CRASHED,
   *   NON_FINITE, UNAVAILABLE (closed), INTERNAL
   */
  run(graph: string, feeds: NamedTensors, options?: RunOptions): Promise<NamedTensors>;
  /** As `run`, with the time that the graph took. */
  runTimed(graph: string, feeds: NamedTensors, options?: RunOptions): Promise<PoolResult>;
  stats(): HostStats;
  /** Fails what waits, lets running calls finish, ends the threads. */
  close(): Promise<void>;
}

/**
 * Opens graphs on worker threads.
 * @throws CutlayerError INVALID_ARTIFACT (missing, broken, weights elsewhere), INVALID_ARGUMENT
 *   (options), UNAVAILABLE
 */
export async function openGraphs(source: GraphDirectory, options: HostOptions = {}): Promise<SessionHost> {
  const dir = resolve(source.dir);
  const workers = positive('workers', options.workers ?? 1);
  const threads = positive('threads', options.threads ?? Math.max(1, Math.floor(availableParallelism() / workers)));
  const queueLimit = positive('queueLimit', options.queueLimit ?? 64);
  const maxOpenGraphs = positive('maxOpenGraphs', options.maxOpenGraphs ?? 16);
  for (const file of source.graphs) if (!existsSync(join(dir, file))) throw missing(file);
  const weights = source.weightsFile === undefined ? undefined : weightsOf(dir, source.weightsFile);
  const known = new Set(source.graphs);
  const wanted = options.warm ?? true;
  const warm = (typeof wanted === 'boolean' ? source.graphs.filter(() => wanted) : wanted).slice(0, maxOpenGraphs);
  const warmLater = source.graphs.filter((graph) => !warm.includes(graph)).slice(0, maxOpenGraphs - warm.length);
  const pool = new WorkerPool({
    workers,
    queueLimit,
    settings: { dir, weights, threads, maxOpenGraphs, packed: options.packed ?? [], warm, warmLater: wanted === false ? [] : warmLater },
    spawn: options.spawn,
    restartPauseMs: options.restartPauseMs,
    onBroken: options.onBroken,
  });
  await pool.start();

  const runTimed: SessionHost['runTimed'] = async (graph, feeds, { transfer = false, priority, signal, ...wanted } = {}) => {
    if (!known.has(graph)) throw new CutlayerError('NOT_FOUND', `${graph}: not one of the graphs that were opened`);
    return pool.run({ graph, feeds: transfer ? feeds : copies(feeds), ...wanted }, { priority, signal });
  };
  return {
    run: async (graph, feeds, options) => (await runTimed(graph, feeds, options)).outputs,
    runTimed,
    stats: () => ({ ...pool.stats, workers, threadsPerWorker: threads }),
    close: () => pool.close(),
  };
}

const missing = (file: string): CutlayerError =>
  new CutlayerError('INVALID_ARTIFACT', `${file}: the file is missing; pack the checkpoint again`);

function weightsOf(dir: string, path: string): WeightsFile {
  const found = lstatSync(join(dir, path), { throwIfNoEntry: false });
  if (found === undefined) throw missing(path);
  if (!found.isFile())
    throw new CutlayerError('INVALID_ARTIFACT', `${path}: expected a regular file, got a link or a directory; pack the checkpoint again`);
  return { path, bytes: found.size };
}

const copies = (feeds: NamedTensors): NamedTensors =>
  Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, { ...value, data: value.data.slice() }]));

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected a positive integer, got ${value}`);
}
