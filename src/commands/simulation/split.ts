/**
 * Splits of one data set among participants: alike, or each with its own mix of labels. Pure
 * functions of the seed. Every item goes to exactly one participant, and sizes differ by at most
 * one.
 * @see Hsu, Qi and Brown 2019, arXiv:1909.06335 sec. 3: each participant draws its mix q ~
 *   Dir(alpha · p), p being the mix of the whole
 */

import { CutlayerError } from '../../errors.js';
import { type Random, seeded, shuffle } from '../../tensor/random.js';
import { dirichlet } from './dirichlet.js';

/** Indexes of the items of each participant, ascending. */
export type Split = readonly (readonly number[])[];

export interface SplitOptions {
  readonly participants: number;
  readonly seed: number;
}

/** Equal mixes, by shuffling. @throws CutlayerError INVALID_ARGUMENT: too many participants */
export function iidSplit(count: number, { participants, seed }: SplitOptions): Split {
  const sizes = equalSizes(count, participants);
  const order = shuffle(
    Array.from({ length: count }, (_, index) => index),
    seeded(seed),
  );
  const ends = sizes.map((_, who) => sizes.slice(0, who + 1).reduce((sum, size) => sum + size, 0));
  return sizes.map((size, who) => ascending(order.slice(ends[who]! - size, ends[who]!)));
}

/**
 * A mix of labels for each participant.
 * @param labels One for each item. @param alpha Above 0: at 0.1 most have one or two labels, at 100
 *   all are nearly alike.
 * @throws CutlayerError INVALID_ARGUMENT for more participants than items, or a bad alpha
 */
export function dirichletSplit(labels: readonly string[], { participants, seed, alpha }: SplitOptions & { readonly alpha: number }): Split {
  if (!(alpha > 0 && Number.isFinite(alpha)))
    throw new CutlayerError('INVALID_ARGUMENT', `split: alpha: expected a number above 0, got ${alpha}`);
  const sizes = equalSizes(labels.length, participants);
  const random = seeded(seed);
  const pools = poolsOf(labels, random);
  const priors = pools.map((pool) => pool.length / labels.length);
  const mixes = sizes.map(() =>
    dirichlet(
      priors.map((prior) => alpha * prior),
      random,
    ),
  );
  const taken = sizes.map((): number[] => []);
  // In turns, so that no participant gets only what the others left.
  for (let turn = 0; turn < sizes[0]!; turn++)
    for (const [who, size] of sizes.entries()) if (turn < size) taken[who]!.push(pools[draw(mixes[who]!, pools, random)]!.pop()!);
  return taken.map(ascending);
}

/** Items by label, each pool in random order. */
function poolsOf(labels: readonly string[], random: Random): number[][] {
  const pools = new Map<string, number[]>();
  for (const [index, label] of labels.entries()) {
    const pool = pools.get(label) ?? [];
    pool.push(index);
    pools.set(label, pool);
  }
  return [...pools.keys()].sort().map((label) => shuffle(pools.get(label)!, random));
}

/** A pool with items, drawn by the participant's mix, or by what is left if its mix is used up. */
function draw(mix: readonly number[], pools: readonly (readonly number[])[], random: Random): number {
  const open = mix.map((share, label) => (pools[label]!.length > 0 ? share : 0));
  const weights = open.some((share) => share > 0) ? open : pools.map((pool) => pool.length);
  let rest = random.next() * weights.reduce((sum, weight) => sum + weight, 0);
  let last = 0;
  for (const [label, weight] of weights.entries()) {
    if (weight === 0) continue;
    last = label;
    rest -= weight;
    if (rest < 0) break;
  }
  return last;
}

/** The larger sizes first. */
function equalSizes(count: number, participants: number): number[] {
  if (!(Number.isSafeInteger(participants) && participants >= 1 && participants <= count))
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `split: expected 1 to ${count} participants (there are ${count} examples), got ${participants}`,
    );
  return Array.from({ length: participants }, (_, who) => Math.floor(count / participants) + (who < count % participants ? 1 : 0));
}

function ascending(indexes: readonly number[]): readonly number[] {
  return indexes.toSorted((a, b) => a - b);
}
