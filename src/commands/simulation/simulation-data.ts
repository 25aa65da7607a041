/** A simulation's examples: a common test, and each participant's own to train and to hold out. */
import type { Example } from '../../../clients/typescript/data/examples.js';
import { CutlayerError } from '../../errors.js';
import { seeded, shuffle } from '../../tensor/random.js';
import type { LabelledRecord } from './labelled-data.js';
import { dirichletSplit, iidSplit } from './split.js';

export type SplitRule = { readonly kind: 'iid' } | { readonly kind: 'dirichlet'; readonly alpha: number };

/** One participant's records. */
export interface Site {
  readonly training: readonly Example[];
  readonly heldOut: readonly Example[];
  /** Records by label. */
  readonly labels: Readonly<Record<string, number>>;
}

export interface SharingOptions {
  readonly participants: number;
  readonly rule: SplitRule;
  readonly seed: number;
  /** Share of each participant's records to hold out, in [0, 1); at least one record if above 0. */
  readonly heldOutShare: number;
}

/** Takes the common test's share of the records, in a fixed random order. @returns [rest, test] */
export function takeTest(
  records: readonly LabelledRecord[],
  share: number,
  seed: number,
): readonly [readonly LabelledRecord[], readonly LabelledRecord[]] {
  const order = shuffle([...records.keys()], seeded(seed, 1));
  const count = Math.max(1, Math.round(share * records.length));
  const test = new Set(order.slice(0, count));
  return [records.filter((_, at) => !test.has(at)), records.filter((_, at) => test.has(at))];
}

/** Splits records. @throws CutlayerError INVALID_ARGUMENT when one gets none to train on */
export function shareOut(records: readonly LabelledRecord[], { participants, rule, seed, heldOutShare }: SharingOptions): readonly Site[] {
  const least = heldOutShare > 0 ? 2 : 1;
  if (records.length < participants * least)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `expected at least ${participants * least} records for ${participants} participants, got ${records.length}; take fewer participants, or more data`,
    );
  const options = { participants, seed };
  const labels = records.map(({ label }) => label);
  const split = rule.kind === 'iid' ? iidSplit(records.length, options) : dirichletSplit(labels, { ...options, alpha: rule.alpha });
  return split.map((indexes, who) => {
    const own = shuffle(
      indexes.map((index) => records[index]!),
      seeded(seed, 2, who),
    );
    const held = heldOutShare > 0 ? Math.min(own.length - 1, Math.max(1, Math.round(heldOutShare * own.length))) : 0;
    const counts: Record<string, number> = {};
    for (const { label } of own) counts[label] = (counts[label] ?? 0) + 1;
    const examplesOf = (part: readonly LabelledRecord[]): readonly Example[] => part.flatMap(({ examples }) => examples);
    return { training: examplesOf(own.slice(held)), heldOut: examplesOf(own.slice(0, held)), labels: counts };
  });
}
