/**
 * The closed table of strategies: how the coordinator makes one update of many. A row holds all
 * that is known of a strategy; the settings' schema, the limits of a federation and the aggregation
 * are derived from it.
 */
import { z } from 'zod';
import { coordinateMedian, trimmedMean } from './coordinate-wise.js';
import type { meanKinds, updatesKinds } from './kinds.js';
import { krumSelection } from './krum.js';
import type { MemberUpdate } from './member-update.js';
import { normBoundedMean } from './norm-bound.js';
import { type Aggregate, fedAdam, fedAvg, fedAvgM, fedYogi, type ServerState } from './server-optimizers.js';
import { weightedMean } from './weighted-mean.js';

/** A strategy that is content with the mean, which secure aggregation can give. */
export interface MeanStrategy<Settings> {
  readonly needsUpdates: false;
  readonly step: (settings: Settings, state: ServerState, mean: Float64Array) => Aggregate;
  /** Factor of |w − w_round|² / 2 in the members' loss; none: 0. */
  readonly proximal?: (settings: Settings) => number;
}

/**
 * A strategy that looks at every single update, which secure aggregation hides; it keeps no state.
 */
export interface UpdatesStrategy<Settings> {
  readonly needsUpdates: true;
  /** Fewest updates that it can make something of; none: 1. */
  readonly fewest?: (settings: Settings) => number;
  /** @param updates sound, by member, enough. @returns what to add to the parameters, [length] */
  readonly combine: (settings: Settings, updates: readonly MemberUpdate[]) => Float64Array;
}

type Settings<Fields extends z.ZodRawShape> = z.output<z.ZodObject<Fields, z.core.$strict>>;

/** @param fields the strategy's settings, `kind` apart */
const ofMean = <Fields extends z.ZodRawShape>(fields: Fields, row: Omit<MeanStrategy<Settings<Fields>>, 'needsUpdates'>) => ({
  fields,
  strategy: { needsUpdates: false as const, ...row },
});

/** @param fields the strategy's settings, `kind` apart */
const ofUpdates = <Fields extends z.ZodRawShape>(fields: Fields, row: Omit<UpdatesStrategy<Settings<Fields>>, 'needsUpdates'>) => ({
  fields,
  strategy: { needsUpdates: true as const, ...row },
});

const positive = z.number().positive().max(1e9);
const decay = z.number().min(0).lt(1);
const whole = (least: number, most: number) => z.int().min(least).max(most);
const rate = { serverLearningRate: positive.prefault(1) };
const adaptive = {
  serverLearningRate: positive.prefault(0.1),
  beta1: decay.prefault(0.9),
  beta2: decay.prefault(0.99),
  tau: positive.prefault(1e-3),
};
/** Krum: n >= 2f + 3, Blanchard et al. 2017, proposition 1. */
const krumFewest = ({ byzantine }: { readonly byzantine: number }): number => 2 * byzantine + 3;

/** A row for each of some kinds, which all need single updates, or all do not. */
type Kinds<Names extends readonly string[], Needing extends boolean> = {
  readonly [Kind in Names[number]]: { readonly strategy: { readonly needsUpdates: Needing } };
};

/** Every strategy, by kind. */
export const strategies = {
  fedavg: ofMean(rate, { step: fedAvg }),
  fedavgm: ofMean({ ...rate, momentum: decay.prefault(0.9) }, { step: fedAvgM }),
  fedadam: ofMean(adaptive, { step: fedAdam }),
  fedyogi: ofMean(adaptive, { step: fedYogi }),
  /**
   * FedAvg whose members add mu/2 · |w − w_round|² to their loss: Li et al. 2020, arXiv:1812.06127.
   */
  fedprox: ofMean({ ...rate, mu: z.number().min(0).max(1e6).prefault(0.01) }, { step: fedAvg, proximal: ({ mu }) => mu }),
  median: ofUpdates({}, { combine: (_, updates) => coordinateMedian(updates) }),
  'trimmed-mean': ofUpdates(
    { trim: whole(1, 5000) },
    { fewest: ({ trim }) => 2 * trim + 1, combine: ({ trim }, updates) => trimmedMean(updates, trim) },
  ),
  krum: ofUpdates(
    { byzantine: whole(0, 5000) },
    { fewest: krumFewest, combine: ({ byzantine }, updates) => Float64Array.from(krumSelection(updates, byzantine, 1)[0]!.update) },
  ),
  'multi-krum': ofUpdates(
    { byzantine: whole(0, 5000), select: whole(1, 10_000) },
    {
      fewest: (settings) => Math.max(krumFewest(settings), settings.select),
      combine: ({ byzantine, select }, updates) =>
        weightedMean(krumSelection(updates, byzantine, select).map((update) => ({ ...update, weight: 1 }))),
    },
  ),
  'norm-bound': ofUpdates({ bound: positive }, { combine: ({ bound }, updates) => normBoundedMean(updates, bound) }),
} satisfies Kinds<typeof meanKinds, false> & Kinds<typeof updatesKinds, true>;
