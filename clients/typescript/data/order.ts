/** An epoch's order: seeded, bucketed by length, cut to micro-batches. Pure in seed and epoch. */
import { CutlayerError } from '../../../src/errors.js';
import { seeded, shuffle } from '../../../src/tensor/random.js';

/** Limits of a micro-batch. */
export interface BatchLimits {
  /** Sequences of a micro-batch. */
  readonly batchSize: number;
  /** Most rows of a padded micro-batch (sequences times the longest of them). */
  readonly maxTokensPerBatch: number;
  /** Rows of a sequence of so many tokens. Default: as many. */
  readonly rowsOf?: ((length: number) => number) | undefined;
}

/** Limits of a micro-batch and the seed of its order. */
export interface OrderOptions extends BatchLimits {
  readonly seed: number;
  /** False keeps the file's order, without bucketing. */
  readonly shuffle: boolean;
}

/** Micro-batches sorted by length together: less padding, yet a random order beyond them. */
const BUCKET_BATCHES = 32;

/**
 * The micro-batches of an epoch, as lists of example indexes: every example exactly once.
 * @param lengths Tokens of each example. @param epoch Counted from 0.
 * @throws CutlayerError INVALID_DATA when one example alone is over `maxTokensPerBatch`.
 */
export function epochBatches(lengths: readonly number[], epoch: number, options: OrderOptions): readonly (readonly number[])[] {
  refuseOverlong(lengths, options.maxTokensPerBatch);
  const order = lengths.map((_, index) => index);
  if (!options.shuffle) return cut(order, lengths, options);
  const random = seeded(options.seed, epoch);
  shuffle(order, random);
  const window = options.batchSize * BUCKET_BATCHES;
  const batches: (readonly number[])[] = [];
  for (let start = 0; start < order.length; start += window) {
    const bucket = order.slice(start, start + window).sort((a, b) => lengths[a]! - lengths[b]! || a - b);
    batches.push(...cut(bucket, lengths, options));
  }
  return shuffle(batches, random);
}

/** @throws CutlayerError INVALID_DATA when one example alone is over the limit. */
export function refuseOverlong(lengths: readonly number[], maxTokensPerBatch: number): void {
  const tooLong = lengths.findIndex((length) => length > maxTokensPerBatch);
  if (tooLong >= 0) {
    throw new CutlayerError(
      'INVALID_DATA',
      `example ${tooLong + 1}: ${lengths[tooLong]} tokens, but a batch may have at most ${maxTokensPerBatch}`,
    );
  }
}

/**
 * Examples in order of length, cut to batches: least padding, no randomness.
 * @param indexes The examples that are meant. Default: all that have a length.
 */
export function evaluationBatches(
  lengths: readonly number[],
  limits: BatchLimits,
  indexes: Iterable<number> = lengths.keys(),
): readonly (readonly number[])[] {
  const order = [...indexes].sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  return cut(order, lengths, limits);
}

function cut(order: readonly number[], lengths: readonly number[], options: BatchLimits): readonly (readonly number[])[] {
  const { rowsOf = (length: number) => length } = options;
  const batches: number[][] = [];
  let current: number[] = [];
  let longest = 0;
  for (const index of order) {
    const padded = Math.max(longest, rowsOf(lengths[index]!));
    if (current.length === options.batchSize || padded * (current.length + 1) > options.maxTokensPerBatch) {
      if (current.length > 0) batches.push(current);
      current = [];
      longest = 0;
    }
    current.push(index);
    longest = Math.max(longest, rowsOf(lengths[index]!));
  }
  if (current.length > 0) batches.push(current);
  return batches;
}
