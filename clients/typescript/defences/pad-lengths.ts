/**
 * Filler after each sequence, up to one of a few lengths. In a causal model no row before it
 * changes. All rows are asked for: those that carry loss would end where the text ends.
 */
import { CutlayerError } from '../../../src/errors.js';
import { tensor } from '../../../src/tensor/tensor.js';
import type { Batch } from '../data/batch.js';
import { defenceClaims } from './claims.js';
import type { Defence } from './defence.js';

/** The stage. */
export interface PadLengths extends Defence {
  /** Rows of a text of so many tokens, at most `most` where the text itself has no more. */
  padded(length: number, most: number): number;
}

/**
 * @param lengths Ascending; a longer text goes to the next multiple of the last one.
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function padLengths(lengths: readonly number[]): PadLengths {
  const last = lengths.at(-1);
  if (last === undefined || lengths.some((length, at) => !Number.isSafeInteger(length) || length <= (lengths[at - 1] ?? 0)))
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `pad-lengths: expected ascending whole numbers such as 32,64,128, got ${lengths.join(',')}`,
    );
  return {
    name: 'pad-lengths',
    settings: { lengths },
    claim: defenceClaims['pad-lengths'],
    padded: (length, most) =>
      Math.max(length, Math.min(most, lengths.find((bucket) => bucket >= length) ?? Math.ceil(length / last) * last)),
  };
}

/** A batch with filler tokens (id 0) after each sequence. @param batch Without shared text */
export function padBatch(batch: Batch, { padded }: Pick<PadLengths, 'padded'>, most: number): Batch {
  const [count, sequence] = batch.tokenIds.shape as [number, number];
  const lengths = batch.lengths.map((length) => padded(length, most));
  const longest = Math.max(...lengths);
  const ids = new BigInt64Array(count * longest);
  batch.lengths.forEach((length, b) => {
    ids.set(batch.tokenIds.data.subarray(b * sequence, b * sequence + length), b * longest);
  });
  return { ...batch, tokenIds: tensor('int64', [count, longest], ids), lengths, ends: batch.lengths };
}
