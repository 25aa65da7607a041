/**
 * Messages between the main thread and a runtime worker. Tensors are transferred, never copied: the
 * sender's arrays are empty after sending. A worker answers one request at a time, in order.
 */
import type { Tensor } from '../tensor/tensor.js';
import type { WeightsFile } from './external-data.js';
import type { Failure } from './failure.js';

/** Tensors by the graph's own names. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** What a worker opens, sent at its start and with `open`. */
export interface WorkerSettings {
  /** Absolute directory of the graphs and of the weights that they point into. */
  readonly dir: string;
  /** Where the graphs' weights lie; absent, they have none outside themselves. */
  readonly weights?: WeightsFile | undefined;
  /** Threads that one operator may use. */
  readonly threads: number;
  /** Graphs kept open at a time; the least recently used one is closed first. */
  readonly maxOpenGraphs: number;
  /** Graph files that are opened with weights of their own, in the order of their products. */
  readonly packed: readonly string[];
  /** Graph files opened before the worker says that it is ready. */
  readonly warm: readonly string[];
  /** Graph files opened after that, one by one, when idle. */
  readonly warmLater: readonly string[];
}

/** Runs one graph. */
export interface RunRequest {
  readonly type: 'run';
  readonly id: number;
  /** File name below the settings' `dir`. */
  readonly graph: string;
  readonly feeds: NamedTensors;
  /** Outputs wanted; all when absent. */
  readonly fetches?: readonly string[];
  /** Computes `fetches` alone: the graph is opened without its other outputs. */
  readonly pruned?: boolean;
  /** Outputs whose values must be finite; the run fails with NON_FINITE when one is not. */
  readonly finite?: readonly string[];
}

/**
 * Main thread to worker. `close` lets the worker release its graphs and end; with `keep` it stays,
 * and waits for `open`.
 */
export type WorkerRequest =
  | RunRequest
  | { readonly type: 'close'; readonly keep: boolean }
  | { readonly type: 'open'; readonly settings: WorkerSettings };

/** Worker to main thread. */
export type WorkerReply =
  | { readonly type: 'ready'; readonly startMs: number }
  /** After `close` with `keep`. */
  | { readonly type: 'closed' }
  | ({ readonly type: 'unusable' } & Failure)
  /** A graph of `warmLater` cannot be opened. */
  | ({ readonly type: 'broken'; readonly graph: string } & Failure)
  | { readonly type: 'done'; readonly id: number; readonly outputs: NamedTensors; readonly runMs: number }
  | ({ readonly type: 'failed'; readonly id: number } & Failure);
