/**
 * A7s: which records a round's sum is made of. A coordinator, or a member, sees the sum of updates
 * alone (secure aggregation), and knows the model. So it computes what each known record would
 * send, and finds those whose sum this is, by ridge regression. The penalty is what the noise's
 * variance asks for.
 *
 * The worst case: the fewest members that a sum may have, each of one record and one step.
 * @see Nasr, Shokri and Houmansadr, arXiv:1812.00910, sec. IV (gradients tell members)
 */
import { l2Norm } from '../../../../src/tensor/l2-norm.js';
import { type Random, seeded, shuffle } from '../../../../src/tensor/random.js';
import { attacker, type VendorView } from '../attacker.js';
import { dot } from '../dot.js';
import { solve } from '../linear-solve.js';
import { rocMeasures, type Scores } from '../roc.js';

/** Contributions of a sum: the fewest that are released. */
const MEMBERS = 3;
/** Records that may be in a sum, at least: as many more as are in it. */
const LEAST = 2 * MEMBERS;
/** Records that are asked about, at most: so many gradients are in memory. */
const MOST = 64;
const ROUNDS = 48;
/** Noise multipliers of the sum: none, and that of a private federation. */
const MULTIPLIERS = [0, 1] as const;

type Guess = readonly { readonly multiplier: number; readonly scores: Scores }[];

export const aggregates = attacker<Guess>({
  id: 'A7s',
  title: 'which records are in a sum of updates, as a coordinator or a member sees it',
  knows: 'whole records that it asks about, the gradient of each by the model, and the sum alone',
  says:
    `a sum of ${MEMBERS} members, each of one record and one step, clipped to the median norm: the least that hides a record; ` +
    'more members, records and steps hide more.',
  async skipped({ answered, records, record }) {
    if (!answered) return 'nothing was answered; run it with a gateway';
    if ((await record(0)).promptCotangent === undefined) return 'no cotangent of a soft prompt comes back';
    if (records < LEAST) return `it needs ${LEAST} records, and ${records} are audited`;
    return undefined;
  },
  async attack(view, { progress, signal }) {
    const gradients = clipped(await gradientsOf(view));
    const gram = products(gradients);
    return MULTIPLIERS.map((multiplier, at) => {
      signal?.throwIfAborted();
      progress(at + 1, MULTIPLIERS.length);
      return { multiplier, scores: roundsOf(gradients, gram, multiplier, seeded(view.seed, at)) };
    });
  },
  score(guess, { seed }) {
    return guess.flatMap(({ multiplier, scores }) =>
      rocMeasures(`records of a sum, ${multiplier === 0 ? 'without noise' : `noise multiplier ${multiplier}`}`, scores, seed),
    );
  },
});

async function gradientsOf({ records, record }: VendorView): Promise<readonly Float32Array[]> {
  const gradients: Float32Array[] = [];
  for (let at = 0; at < Math.min(records, MOST); at++) gradients.push((await record(at)).promptCotangent!.data);
  return gradients;
}

/** At most the median norm each, which is then 1. */
function clipped(gradients: readonly Float32Array[]): readonly Float32Array[] {
  const norms = gradients.map((gradient) => l2Norm([gradient]));
  const median = Float64Array.from(norms).sort()[Math.floor(norms.length / 2)]!;
  return gradients.map((gradient, at) => gradient.map((value) => value / Math.max(median, norms[at]!)));
}

/** Each gradient times each, [n, n]. */
function products(gradients: readonly Float32Array[]): Float64Array {
  return Float64Array.from(gradients.flatMap((one) => gradients.map((other) => dot(one, other))));
}

/** Scores of records in rounds of drawn members. */
function roundsOf(gradients: readonly Float32Array[], gram: Float64Array, multiplier: number, random: Random): Scores {
  const n = gradients.length;
  const scores = { wanted: [] as number[], others: [] as number[] };
  // Of a record's part in the sum, which is 0 or 1, before anything is seen: MEMBERS of n.
  const penalty = (multiplier ** 2 * n) / MEMBERS + 1e-9 * Math.max(...gram);
  for (let round = 0; round < ROUNDS; round++) {
    const members = shuffle([...gradients.keys()], random).slice(0, MEMBERS);
    const sum = gradients[0]!.map((_, at) =>
      members.reduce((total, member) => total + gradients[member]![at]!, multiplier * random.normal()),
    );
    const matrix = gram.map((product, at) => product + (at % (n + 1) === 0 ? penalty : 0));
    const found = solve(
      matrix,
      Float64Array.from(gradients, (gradient) => dot(gradient, sum)),
    );
    for (const [at, score] of (found ?? new Float64Array(n)).entries()) scores[members.includes(at) ? 'wanted' : 'others'].push(score);
  }
  return scores;
}
