/**
 * What the main thread and a runtime worker say to each other. Tensors cross by transfer, never by copy: after sending,
 * the sender's arrays are empty. A worker answers requests one at a time, in the order in which they came.
 */
import type { ErrorRecord } from '../errors.js';
import type { Tensor } from '../tensor/tensor.js';

/** Tensors by the graph's own names. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** What a worker is told once, when it starts. */
export interface WorkerSettings {
  /** Absolute directory of the graphs and of the weights that they point into. */
  readonly dir: string;
  /** Threads that one operator may use. */
  readonly threads: number;
  /** Graphs kept open at a time; the least recently used one is closed first. */
  readonly maxOpenGraphs: number;
  /** Graph files opened before the worker says that it is ready. */
  readonly warm: readonly string[];
  /** Graph files opened after that, one by one, whenever there is nothing to do. */
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
  /** Outputs whose values must be finite; the run fails with NON_FINITE when one is not. */
  readonly finite?: readonly string[];
}

/** Main thread to worker. `close` lets the worker release its graphs and end. */
export type WorkerRequest = RunRequest | { readonly type: 'close' };

/** The public part of a failure, and what the log of this process may hold besides. */
export interface Failure {
  readonly error: ErrorRecord;
  /** The native message; never shown to callers. */
  readonly cause?: string;
}

/** Worker to main thread. */
export type WorkerReply =
  | { readonly type: 'ready'; readonly startMs: number }
  | ({ readonly type: 'unusable' } & Failure)
  | { readonly type: 'done'; readonly id: number; readonly outputs: NamedTensors; readonly runMs: number }
  | ({ readonly type: 'failed'; readonly id: number } & Failure);
