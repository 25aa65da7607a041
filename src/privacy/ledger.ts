/**
 * The rule of a privacy ledger. It decides only: the caller writes the spend durably, then
 * releases. So a crash between the two over-counts.
 */
import { checkEpsilon, type Guarantee, RdpAccountant } from './accountant.js';
import type { PrivacyEvent } from './event.js';

/** The most that all releases together may cost. */
export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** Whether a release fits; `remaining` is the rest of epsilon, after an allowed release. */
export type ReleaseDecision =
  | { readonly allowed: true; readonly after: Guarantee; readonly remaining: number }
  | {
      readonly allowed: false;
      readonly before: Guarantee;
      readonly after: Guarantee;
      readonly remaining: number;
      readonly reason: string;
    };

/**
 * Whether `next` may be released after `spent`. Remaining epsilons do not subtract: two releases
 * together cost less than the sum of both alone.
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function mayRelease(spent: readonly PrivacyEvent[], next: PrivacyEvent, budget: PrivacyBudget): ReleaseDecision {
  const { epsilon, delta } = budget;
  checkEpsilon(epsilon);
  const before = new RdpAccountant(spent).guarantee(delta);
  const after = new RdpAccountant([...spent, next]).guarantee(delta);
  if (after.epsilon <= epsilon) return { allowed: true, after, remaining: epsilon - after.epsilon };
  const reason = `it would bring epsilon to ${after.epsilon.toPrecision(6)} at delta ${delta}; the budget is ${epsilon}, of which ${before.epsilon.toPrecision(6)} is spent`;
  return { allowed: false, before, after, remaining: Math.max(0, epsilon - before.epsilon), reason };
}
