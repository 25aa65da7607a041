/** The decoder as sessions use it: lanes of keys and values, and rows appended to them. */
import type { Tensor } from '../../tensor/tensor.js';

/** Memory of keys and values for one span of rows. */
export interface Lane {
  readonly id: number;
  /** In rows. */
  readonly capacity: number;
}

/** Rows for one lane. */
export interface LaneRows {
  readonly lane: Lane;
  /** Rows of the lane that stay valid: the new ones start here. */
  readonly from: number;
  /** [S, hiddenSize] */
  readonly rows: Tensor<'float32'>;
}

/** Computes rows on lanes. It knows nothing of tenants, sessions, budgets and time. */
export interface Decoder {
  /** Rows of the longest span that the model has positions for. */
  readonly maxRows: number;
  /** Bytes that `allocate(rows)` takes. */
  laneBytes(rows: number): number;
  /** @throws CutlayerError OUT_OF_MEMORY, WORKER_CRASHED, UNAVAILABLE */
  allocate(rows: number): Promise<Lane>;
  /**
   * Appends many rows to one lane, or one row to each of several lanes, in one run.
   * @returns the backbone's output rows [S, hiddenSize] of each, in order; rows that are not finite
   *   are not kept
   * @throws CutlayerError WORKER_CRASHED (all lanes are lost), UNAVAILABLE, INTERNAL
   */
  append(batch: readonly LaneRows[], signal?: AbortSignal): Promise<readonly Tensor<'float32'>[]>;
  /**
   * Writes the first rows of an empty lane.
   * @param keyValues [layers, 2, P, numKvHeads, headDim]: keys after rotary embedding, values
   */
  writePrefix(lane: Lane, keyValues: Tensor<'float32'>): Promise<void>;
  /** Copies the first rows of a lane to another. */
  copy(from: Lane, to: Lane, rows: number): Promise<void>;
  release(lane: Lane): Promise<void>;
  close(): Promise<void>;
}
