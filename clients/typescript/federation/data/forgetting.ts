/** What a version has lost against another, in each metric's own unit. */
import type { VersionMetrics } from '../../../../src/protocol/federation/chain.js';

/**
 * How much worse `after` is than `before` on the same examples; negative where it is better. On the earlier examples this is what was forgotten.
 * @see evaluation.maxForgetting of a federation's settings, which bounds the cohort's mean of it in one metric
 */
export function worsening(before: VersionMetrics, after: VersionMetrics): VersionMetrics {
  return {
    loss: after.loss - before.loss,
    accuracy: before.accuracy - after.accuracy,
    exactMatch: before.exactMatch - after.exactMatch,
  };
}
