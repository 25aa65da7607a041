/**
 * Differences of two versions on the same examples, with paired bootstrap intervals: examples are
 * drawn with replacement, the same ones for both versions.
 * @see Efron and Tibshirani 1993, "An Introduction to the Bootstrap", sec. 13.3 (percentiles)
 */
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';
import { seeded } from '../../../src/tensor/random.js';
import type { ExampleScore } from '../inference/evaluate.js';

/** Draws of a bootstrap. */
const DRAWS = 1000;
const LEVEL = 0.95;

/** A value and the interval that 95 % of the draws are in. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** How the candidate differs from the version before it. */
export interface Difference {
  /** Mean loss over label tokens, nats; negative: better. */
  readonly loss: Estimate;
  /** Share of examples that are exactly right; positive: better. */
  readonly exactMatch: Estimate;
  readonly examples: number;
}

/**
 * @param before Scores of the earlier version. @param after Of the candidate, in the same order.
 * @param seed The same seed gives the same intervals.
 */
export function difference(before: readonly ExampleScore[], after: readonly ExampleScore[], seed: number): Difference {
  const count = before.length;
  const all = Array.from({ length: count }, (_, at) => at);
  const values = meanDifference(before, after, all);
  const random = seeded(seed, count);
  const drawn: { loss: number[]; exactMatch: number[] } = { loss: [], exactMatch: [] };
  const indexes = new Array<number>(count).fill(0);
  for (let draw = 0; draw < DRAWS && count > 0; draw++) {
    for (let at = 0; at < count; at++) indexes[at] = random.integer(count);
    const one = meanDifference(before, after, indexes);
    drawn.loss.push(one.loss);
    drawn.exactMatch.push(one.exactMatch);
  }
  return { loss: estimate(values.loss, drawn.loss), exactMatch: estimate(values.exactMatch, drawn.exactMatch), examples: count };
}

/** Metrics of a version on its examples. */
export function metricsOf(scores: readonly ExampleScore[]): VersionMetrics {
  const targets = scores.reduce((sum, score) => sum + score.targets, 0);
  const judged = scores.filter(({ exact }) => exact !== undefined);
  return {
    loss: scores.reduce((sum, score) => sum + score.lossSum, 0) / targets,
    accuracy: scores.reduce((sum, score) => sum + score.correct, 0) / targets,
    exactMatch: judged.filter(({ exact }) => exact === true).length / judged.length,
  };
}

function meanDifference(before: readonly ExampleScore[], after: readonly ExampleScore[], indexes: readonly number[]) {
  let [targets, loss, judged, exact] = [0, 0, 0, 0];
  for (const index of indexes) {
    const [old, now] = [before[index]!, after[index]!];
    targets += now.targets;
    loss += now.lossSum - old.lossSum;
    if (now.exact === undefined) continue;
    judged += 1;
    exact += Number(now.exact) - Number(old.exact === true);
  }
  return { loss: targets === 0 ? 0 : loss / targets, exactMatch: judged === 0 ? 0 : exact / judged };
}

function estimate(value: number, drawn: readonly number[]): Estimate {
  const sorted = [...drawn].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? value;
  return { value, low: at((1 - LEVEL) / 2), high: at((1 + LEVEL) / 2) };
}
