/**
 * How well scores tell two kinds apart: over all thresholds, and where hardly one is taken wrongly.
 * @see Carlini et al., arXiv:2112.03570, sec. III (what counts is few false positives)
 */
import { seeded } from '../../../src/tensor/random.js';
import type { Measure } from './metrics.js';

/** Scores of both kinds; those of the wanted kind should be higher. */
export interface Scores {
  readonly wanted: readonly number[];
  readonly others: readonly number[];
}

const DRAWS = 200;
/** Share of others that may be taken for wanted. */
const FALSE_POSITIVES = 0.01;

/**
 * Both figures, with intervals over scores drawn anew; none where a side has nothing.
 * @param what Names what is told apart, by what.
 */
export function rocMeasures(what: string, scores: Scores, seed: number): readonly Measure[] {
  const { wanted, others } = scores;
  if (wanted.length === 0 || others.length === 0) return [];
  const random = seeded(seed, wanted.length);
  const drawn = (values: readonly number[]) => values.map(() => values[random.integer(values.length)]!);
  const draws = Array.from({ length: DRAWS }, () => ({ wanted: drawn(wanted), others: drawn(others) }));
  const measure = (metric: string, chance: number, of: (scores: Scores) => number): Measure => {
    const sorted = Float64Array.from(draws, of).sort();
    const [low, high] = [sorted[Math.floor(0.025 * DRAWS)]!, sorted[Math.floor(0.975 * DRAWS)]!];
    return { metric, value: of(scores), low, high, chance, count: wanted.length + others.length };
  };
  return [
    measure(`AUC of ${what}`, 0.5, auc),
    measure(`found at 1 % false positives: ${what}`, allowedOf(others.length) / (others.length + 1), truePositives),
  ];
}

/** Area under the ROC curve; NaN where one side has nothing. */
export function auc({ wanted, others }: Scores): number {
  const all = [...wanted.map((score) => ({ score, same: true })), ...others.map((score) => ({ score, same: false }))];
  all.sort((a, b) => a.score - b.score);
  let ranks = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end]!.score === all[at]!.score) end++;
    // Equal scores have the middle of their ranks.
    for (let tie = at; tie < end; tie++) if (all[tie]!.same) ranks += (at + end + 1) / 2;
    at = end;
  }
  return (ranks - (wanted.length * (wanted.length + 1)) / 2) / (wanted.length * others.length);
}

/**
 * Share of the wanted above all but fewer than one in a hundred of the others. With fewer than 200
 * of these it is above all of them.
 */
export function truePositives({ wanted, others }: Scores): number {
  const threshold = Float64Array.from(others).sort().at(-allowedOf(others.length))!;
  return wanted.filter((score) => score > threshold).length / wanted.length;
}

/** Which of the others, from the top, is the threshold: a guess gets above it in as many draws. */
function allowedOf(others: number): number {
  return Math.max(1, Math.floor(FALSE_POSITIVES * others));
}
