/** The rule of a privacy ledger. It decides only: whoever asks writes the spend durably, then releases, so that a crash in between over-counts. */
import { CutlayerError } from '../errors.js';
import { type Guarantee, RdpAccountant } from './accountant.js';
import type { PrivacyEvent } from './event.js';

/** What all releases together may come to. */
export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** Whether a release fits; `remaining` is what is left of epsilon, after the release where it is allowed. */
export type ReleaseDecision =
  | { readonly allowed: true; readonly after: Guarantee; readonly remaining: number }
  | {
      readonly allowed: false;
      readonly before: Guarantee;
      readonly after: Guarantee;
      readonly remaining: number;
      readonly reason: string;
    };

/** Beyond this many releases a projection says: without end. */
const MOST_RELEASES = 2 ** 40;

/**
 * May `next` be released when `spent` has been? Remaining epsilons do not subtract: two releases together cost less than the sum of both alone.
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function mayRelease(spent: readonly PrivacyEvent[], next: PrivacyEvent, budget: PrivacyBudget): ReleaseDecision {
  checkBudget(budget);
  const { epsilon, delta } = budget;
  const before = new RdpAccountant(spent).guarantee(delta);
  const after = new RdpAccountant([...spent, next]).guarantee(delta);
  if (after.epsilon <= epsilon) return { allowed: true, after, remaining: epsilon - after.epsilon };
  const reason = `it would bring epsilon to ${after.epsilon.toPrecision(6)} at delta ${delta}; the budget is ${epsilon}, of which ${before.epsilon.toPrecision(6)} is spent`;
  return { allowed: false, before, after, remaining: Math.max(0, epsilon - before.epsilon), reason };
}

/**
 * How many more releases like `next` fit into a budget: its own `count` does not matter.
 * @returns Infinity where they cost nothing, or nearly so. @throws CutlayerError INVALID_ARGUMENT
 */
export function projectedReleases(spent: readonly PrivacyEvent[], next: PrivacyEvent, budget: PrivacyBudget): number {
  checkBudget(budget);
  const fits = (count: number) => new RdpAccountant([...spent, { ...next, count }]).guarantee(budget.delta).epsilon <= budget.epsilon;
  if (!fits(1)) return 0;
  let [most, tooMany] = [1, 2];
  while (fits(tooMany)) {
    if (tooMany >= MOST_RELEASES) return Infinity;
    [most, tooMany] = [tooMany, tooMany * 2];
  }
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}

function checkBudget({ epsilon }: PrivacyBudget): void {
  if (epsilon > 0 && epsilon < Infinity) return;
  throw new CutlayerError('INVALID_ARGUMENT', `epsilon: expected a number above 0, got ${epsilon}`);
}
