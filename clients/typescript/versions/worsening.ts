/** What a version has lost against another, in each metric's own unit. */
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';

/**
 * How much worse `after` is than `before` on the same examples; negative: better. On earlier
 * examples this is what was forgotten.
 * @see evaluation.maxForgetting of a federation's settings, the bound of the cohort's mean
 */
export function worsening(before: VersionMetrics, after: VersionMetrics): VersionMetrics {
  return {
    loss: after.loss - before.loss,
    accuracy: before.accuracy - after.accuracy,
    exactMatch: before.exactMatch - after.exactMatch,
  };
}
