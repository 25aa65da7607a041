/**
 * Bounded norms: an update longer than the bound is shortened to it before the mean. Sun et al.
 * 2019, arXiv:1911.07963, "norm thresholding".
 */
import { l2Norm } from '../../../tensor/l2-norm.js';
import type { MemberUpdate } from './member-update.js';
import { weightedMean } from './weighted-mean.js';

/** The weighted mean of the updates, none of which counts with a norm above `bound`, [length]. */
export function normBoundedMean(updates: readonly MemberUpdate[], bound: number): Float64Array {
  return weightedMean(updates.map((update) => ({ ...update, update: shortened(update.update, bound) })));
}

function shortened(update: Float32Array, bound: number): Float32Array {
  const norm = l2Norm([update]);
  return norm <= bound ? update : update.map((value) => value * (bound / norm));
}
