/**
 * What a client does to take less time for the same numbers, each switched here and nowhere else.
 * To find which one a difference comes from, switch some of them off.
 */

export interface ClientOptimizations {
  /** AdamW works on four floats at a time. Otherwise: on one. */
  readonly vectors: boolean;
  /** The sum of one batch's cotangents is the batch's own. Otherwise: a copy in float64. */
  readonly ownCotangents: boolean;
  /** The vjp of P-tuning's LSTM takes the run that made the prompt. Otherwise: it runs again. */
  readonly encoderRuns: boolean;
  /** Held blocks run on rows of tokens alone. Otherwise: on padding too. */
  readonly packedRows: boolean;
}

export const optimizations: ClientOptimizations = { vectors: true, ownCotangents: true, encoderRuns: true, packedRows: true };
