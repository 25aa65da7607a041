/**
 * Text that every sequence of a batch begins with: an instruction, a system prompt, examples. In a
 * causal model its rows do not depend on what follows. So they go through the model once, as a soft
 * prompt's rows do, and every sequence attends to their keys and values. The result is the same.
 */
import { tensor } from '../../../src/tensor/tensor.js';
import type { Batch } from './batch.js';

/**
 * Tokens that each sequence keeps of its own. A gateway's protection knows a sequence by its own
 * rows, and would take short ones for the same input with ever new cotangents.
 */
const LEAST_OWN_TOKENS = 8;
/** Sharing is worth its own product of attention from this share of a batch's rows on. */
const LEAST_SAVED = 1 / 20;

/**
 * Takes the text that all sequences begin with out of a batch, where that saves rows.
 * @param batch Without shared text. @param most Most rows that may be shared.
 * @returns the batch with `shared`; the batch itself where nothing is saved
 */
export function shareText(batch: Batch, most: number): Batch {
  const { tokenIds, lengths, targets } = batch;
  const [count, sequence] = tokenIds.shape as [number, number];
  const shared = Math.min(most, commonTokens(batch), Math.min(...lengths) - LEAST_OWN_TOKENS);
  if (shared <= 0 || (count - 1) * shared < LEAST_SAVED * count * sequence) return batch;
  const own = sequence - shared;
  const ids = new BigInt64Array(count * own);
  for (let b = 0; b < count; b++) ids.set(tokenIds.data.subarray(b * sequence + shared, (b + 1) * sequence), b * own);
  return {
    ...batch,
    tokenIds: tensor('int64', [count, own], ids),
    lengths: lengths.map((length) => length - shared),
    shared: tensor('int64', [1, shared], tokenIds.data.slice(0, shared)),
    targets: targets.map((target) => ({ ...target, token: target.token - shared })),
  };
}

/** The rows that sharing leaves out. */
export function savedRows({ shared, lengths }: Pick<Batch, 'shared' | 'lengths'>): number {
  return (shared?.shape[1] ?? 0) * (lengths.length - 1);
}

/** The length of the longest prefix that all sequences have. */
function commonTokens({ tokenIds: { shape, data }, lengths }: Batch): number {
  const [count, sequence] = shape as [number, number];
  let common = Math.min(...lengths);
  for (let b = 1; b < count; b++) for (let s = 0; s < common; s++) if (data[b * sequence + s] !== data[s]) common = s;
  return common;
}
