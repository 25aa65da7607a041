/**
 * Messages between the main thread and the decode worker, which holds all lanes: the keys and
 * values of spans of rows. It answers in order, one request at a time. Arrays are transferred.
 */
import type { Tensor } from '../../tensor/tensor.js';
import type { WeightsFile } from '../external-data.js';
import type { Failure } from '../failure.js';

/** The decode graph, and how a lane is laid out. */
export interface DecodeSettings {
  /** Absolute directory of the artifact. */
  readonly dir: string;
  readonly weights: WeightsFile | undefined;
  readonly graph: string;
  /** Threads that one operator may use. */
  readonly threads: number;
  /** Lanes that one run serves; one where the graph has weights as inputs. */
  readonly lanes: number;
  /** Blocks of the graph. */
  readonly layers: number;
  readonly hiddenSize: number;
  /** Query heads of one head of keys. */
  readonly group: number;
  /** Rows of memory are fed in multiples of this. */
  readonly keyBlock: number;
  /** Whether the graph has the length by which a lane's rope is chosen as an input. */
  readonly hasRopeLength: boolean;
  /** Axes of a row's keys and of its values, after the axis of rows. */
  readonly keyShape: readonly number[];
  readonly valueShape: readonly number[];
}

/** New rows of one lane. */
export interface AppendedRows {
  /** The lane's id. */
  readonly lane: number;
  /** Rows of the lane that stay valid. */
  readonly from: number;
  /** [S, hiddenSize] */
  readonly rows: Float32Array;
}

/** What the worker is asked for, without an id. */
export type DecodeCall =
  /** Keeps weights that the graph has as inputs, until they are dropped. */
  | { readonly type: 'hold'; readonly weights: number; readonly tensors: Readonly<Record<string, Tensor<'float32'>>> }
  | { readonly type: 'drop'; readonly weights: number }
  /** Makes a lane of so many rows, a multiple of the key block; its rows use these weights. */
  | {
      readonly type: 'allocate';
      readonly lane: number;
      readonly capacity: number;
      /** The length by which its rope is chosen. */
      readonly ropeLength: number;
      readonly weights?: number | undefined;
    }
  | { readonly type: 'append'; readonly batch: readonly AppendedRows[] }
  /** Writes the first rows. `keyValues` is [layers, 2, rows, numKvHeads, headDim]. */
  | { readonly type: 'prefix'; readonly lane: number; readonly rows: number; readonly keyValues: Float32Array }
  /** Copies the first rows of a lane to row `at` of another. */
  | { readonly type: 'copy'; readonly from: number; readonly to: number; readonly rows: number; readonly at: number }
  /** Makes a lane of rows [from, from + rows) of another, which no run reads. */
  | { readonly type: 'keep'; readonly lane: number; readonly of: number; readonly from: number; readonly rows: number }
  | { readonly type: 'release'; readonly lane: number };

/**
 * Main thread to worker. `close` lets the worker release lanes and graph, and end; with `keep` it
 * stays, and waits for `open`.
 */
export type DecodeRequest =
  | (DecodeCall & { readonly id: number })
  | { readonly type: 'close'; readonly keep: boolean }
  | { readonly type: 'open'; readonly settings: DecodeSettings };

/** The output rows [S, hiddenSize] of one lane of a batch. */
export interface OutputRows {
  readonly rows: Float32Array;
  /** False when a value is NaN or infinite: the lane's new rows are dropped. */
  readonly finite: boolean;
}

/** Worker to main thread. */
export type DecodeReply =
  | { readonly type: 'ready' }
  /** After `close` with `keep`. */
  | { readonly type: 'closed' }
  | ({ readonly type: 'unusable' } & Failure)
  /** `outputs`: of an append, in order; else empty. */
  | { readonly type: 'done'; readonly id: number; readonly outputs: readonly OutputRows[] }
  | ({ readonly type: 'failed'; readonly id: number } & Failure);
