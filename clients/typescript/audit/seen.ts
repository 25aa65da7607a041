/** One record as a vendor sees it in a step of training. */
import type { Tensor } from '../../../src/tensor/tensor.js';

type Floats = Tensor<'float32'>;

/** All of it is decoded from messages: rounded as the wire's type rounds it. */
export interface SeenRecord {
  /** [S, d], those of the text. */
  readonly rows: Floats;
  /** Rows that the client calls real. */
  readonly length: number;
  /** Rows of a soft prompt before them. */
  readonly leading: number;
  /** Virtual tokens of a soft prompt or a prefix. */
  readonly virtualTokens: number;
  /** Rows that were wanted back, numbered with the leading ones; none: all. */
  readonly positions: readonly number[];
  /** [P, d], as it enters the backbone. */
  readonly prompt?: Floats;
  /** [N, d], what the vendor has answered. */
  readonly outputs?: Floats;
  /** From the answer of the forward pass to the cotangents, ms. */
  readonly lossMs?: number;
  /** [N, d], of the outputs. */
  readonly cotangents?: Floats;
  /** [P, d], what the vendor has answered. */
  readonly promptCotangent?: Floats;
}

/** The token that each wanted row predicts, by its index in the text. */
export function predictedTokens({ positions, leading, outputs }: SeenRecord): readonly number[] {
  const rows = positions.length > 0 ? positions : Array.from({ length: outputs?.shape[0] ?? 0 }, (_, row) => row);
  return rows.map((row) => row - leading + 1);
}
