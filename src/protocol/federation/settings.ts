/**
 * A federation's settings: everything that its founder decides and its members pin. This schema is
 * the one place that knows them; the manifest, the command line and the docs take them from here.
 */
import { z } from 'zod';
import { HIDING } from '../secagg/graph.js';
import { fewestMembers, needsUpdates, strategySchema } from './strategies/settings.js';

const positive = z.number().positive().max(1e9);
const whole = (least: number, most: number) => z.int().min(least).max(most);

/** Which members a round takes. */
const cohortSchema = z
  .strictObject({
    /** A round with fewer is aborted (k of n). */
    min: whole(1, 10_000).prefault(3),
    /** A round takes no more, in the order of enlisting. Default: all members. */
    max: whole(1, 10_000).nullable().prefault(null),
    /** `all`: every member that enlists. `poisson`: each member is drawn with this probability. */
    sampling: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('all') }),
        z.strictObject({ kind: z.literal('poisson'), rate: z.number().positive().max(1) }),
      ])
      .prefault({ kind: 'all' }),
  })
  .refine(({ min, max }) => max === null || max >= min, 'expected max to be at least min');

/** When rounds begin, and how long their stages wait. */
const roundsSchema = z.strictObject({
  /** Released aggregates after which the federation is finished; null: it runs until stopped. */
  count: whole(1, 1_000_000).nullable().prefault(null),
  /**
   * `continuous`: the next as soon as the last has ended. `interval`: by the clock. `newExamples`:
   * when `members` of them have `count` new examples each.
   */
  trigger: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('continuous') }),
      z.strictObject({ kind: z.literal('interval'), seconds: positive }),
      z.strictObject({ kind: z.literal('newExamples'), count: whole(1, 1_000_000_000), members: whole(1, 10_000) }),
    ])
    .prefault({ kind: 'continuous' }),
  /** How long a round waits for members once the smallest cohort is there. */
  enlistSeconds: positive.prefault(30),
  /**
   * How long a round waits for the smallest cohort before it is aborted; the next one waits again.
   */
  gatherSeconds: positive.prefault(600),
  /** Cutoff of training and submitting. */
  trainSeconds: positive.prefault(3600),
  /** Cutoff of each other stage. */
  stageSeconds: positive.prefault(60),
});

/** How a participant trains on its own data. */
const trainingSchema = z
  .strictObject({
    /** Passes over the data in one round; or `steps`. */
    epochs: positive.nullable().prefault(1),
    /** Optimizer steps of one round; when given, epochs do not count. */
    steps: whole(1, 1_000_000).nullable().prefault(null),
    batchSize: whole(1, 65_536).prefault(16),
    learningRate: positive.prefault(0.01),
    /** Learning rate over the steps of `rounds.count` aggregates: falls to 0, or `constant`. */
    schedule: z.enum(['constant', 'linear', 'cosine']).prefault('constant'),
    maxGradNorm: positive.nullable().prefault(1),
    weightDecay: z.number().min(0).max(10).prefault(0),
    /** `keep`: AdamW's moments stay from round to round. `reset`: each round starts without. */
    optimizerState: z.enum(['keep', 'reset']).prefault('keep'),
  })
  .refine(({ epochs, steps }) => epochs !== null || steps !== null, 'expected epochs or steps');

/** Whose update counts how much. */
const weightsSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('uniform') }),
  /** By the participant's public number of training examples, at most `maxExamples`. */
  z.strictObject({ kind: z.literal('examples'), maxExamples: whole(1, 1_000_000_000) }),
]);

/** Sums without single updates. */
const secureAggregationSchema = z.strictObject({
  /** The sum is exact modulo 2^bits. */
  bits: whole(16, 32).prefault(32),
  /**
   * Largest value of one coordinate of one update; a larger update is scaled down to it as a whole.
   */
  bound: positive.prefault(8),
  /**
   * t/n: share of the cohort that must stay to the end; above 1/2. So many would have to collude,
   * or 2t - n of them with a coordinator that breaks the protocol.
   */
  thresholdFraction: z
    .number()
    .gt(0.5)
    .max(1)
    .prefault(2 / 3),
  /** No sum is of fewer members: with fewer updates, or metrics, the round is aborted. */
  minSurvivors: whole(HIDING, 10_000).prefault(HIDING),
  /** Larger cohorts mask along a sparse graph of neighbours (SecAgg+) instead of all pairs. */
  graphAbove: whole(3, 10_000).prefault(128),
});

/** Client-level differential privacy. */
const privacySchema = z.strictObject({
  unit: z.literal('client').prefault('client'),
  /** Deviation of the noise on the sum, over the clip norm. */
  noiseMultiplier: positive,
  clip: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('fixed'), norm: positive }),
    /** Andrew et al. 2021: follows a quantile of the norms, from noisy counts. */
    z.strictObject({
      kind: z.literal('adaptive'),
      initialNorm: positive,
      quantile: z.number().min(0).max(1).prefault(0.5),
      learningRate: positive.prefault(0.2),
      /**
       * Deviation of the noise on the count of unclipped participants; null: a twentieth of the
       * smallest cohort, at least 1 and the noise multiplier.
       */
      countNoise: positive.nullable().prefault(null),
    }),
  ]),
  delta: z.number().positive().lt(1),
  /** No round is begun that would go over it. */
  maxEpsilon: positive,
});

/** How a new version earns its place. */
const evaluationSchema = z.strictObject({
  metric: z.enum(['loss', 'accuracy', 'exactMatch']).prefault('loss'),
  /** A candidate is promoted when the cohort's metric is better by more than this. */
  minImprovement: z.number().min(0).max(1e6).prefault(0),
  /** ... and no worse than this on the earlier held-out examples. In the metric's own unit. */
  maxForgetting: z.number().min(0).max(1e6).nullable().prefault(null),
  /** Losses above it count as it, in nats. */
  lossCap: positive.prefault(20),
  /** With differential privacy: deviation of the noise over the sensitivity of the metrics. */
  noiseMultiplier: positive.nullable().prefault(null),
  /**
   * `mean`: by the cohort's mean metrics. `majority`: more than half of the members measure the
   * candidate as better; it needs secure aggregation and privacy to be off.
   */
  rule: z.enum(['mean', 'majority']).prefault('mean'),
  /** An evaluate round of fewer members is aborted; null: as many as any round needs. */
  minMembers: whole(1, 10_000).nullable().prefault(null),
});

/** What a founder writes; members and keys are added by `coordinator create`. */
export const federationSettingsSchema = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'expected 1 to 64 letters, digits, spaces, dots, dashes'),
    adapter: z
      .strictObject({
        /** A method of `cutlayer client train --method`, or several joined by `+`. */
        method: z.string().min(1).max(256).prefault('prompt-tuning'),
        /** Its settings, such as virtualTokens. */
        settings: z.record(z.string(), z.unknown()).prefault({}),
      })
      .prefault({}),
    cohort: cohortSchema.prefault({}),
    rounds: roundsSchema.prefault({}),
    training: trainingSchema.prefault({}),
    strategy: strategySchema.prefault({ kind: 'fedavg' }),
    weights: weightsSchema.prefault({ kind: 'uniform' }),
    /** null: the coordinator sees every update. */
    secureAggregation: secureAggregationSchema.nullable().prefault({}),
    privacy: privacySchema.nullable().prefault(null),
    evaluation: evaluationSchema.nullable().prefault({}),
  })
  .superRefine((settings, context) => {
    const fail = (path: PropertyKey[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const { cohort, rounds, training, strategy, weights, secureAggregation, privacy, evaluation } = settings;
    const robust = needsUpdates(strategy);
    if (robust && secureAggregation !== null) {
      fail(
        ['strategy', 'kind'],
        `${strategy.kind} looks at single updates, which secure aggregation hides; set secureAggregation to null, or choose fedavg`,
      );
    }
    if (robust && privacy !== null)
      fail(['strategy', 'kind'], `${strategy.kind} has no bounded sensitivity; leave privacy out, or choose fedavg`);
    if (training.schedule !== 'constant' && rounds.count === null)
      fail(['training', 'schedule'], `expected constant without rounds.count: ${training.schedule} falls to 0 at the last of them`);
    const fewest = fewestMembers(strategy);
    if (cohort.min < fewest)
      fail(['cohort', 'min'], `expected at least ${fewest} with this ${strategy.kind}: it can make nothing of fewer`);
    if (secureAggregation !== null && cohort.min < secureAggregation.minSurvivors)
      fail(
        ['cohort', 'min'],
        `expected at least ${secureAggregation.minSurvivors} with secure aggregation (minSurvivors): of a sum of two, each can take off its own`,
      );
    if (privacy !== null && weights.kind !== 'uniform')
      fail(['weights', 'kind'], 'expected uniform with privacy: example counts would weigh, and show, a client');
    if (privacy !== null && evaluation !== null && evaluation.noiseMultiplier === null) {
      fail(['evaluation', 'noiseMultiplier'], 'expected a number with privacy: metrics are released too; or set evaluation to null');
    }
    if (evaluation?.rule === 'majority' && (secureAggregation !== null || privacy !== null))
      fail(
        ['evaluation', 'rule'],
        `majority looks at each member's metrics, which ${secureAggregation === null ? 'privacy' : 'secure aggregation'} hides; choose mean, or set both to null`,
      );
    const measuring = evaluation?.minMembers ?? 0;
    if (cohort.max !== null && cohort.max < measuring)
      fail(['evaluation', 'minMembers'], `expected at most cohort.max (${cohort.max}), got ${measuring}`);
    if (privacy !== null && privacy.clip.kind === 'adaptive') {
      const { countNoise } = privacy.clip;
      const least = privacy.noiseMultiplier / 2;
      if (countNoise !== null && countNoise <= least)
        fail(
          ['privacy', 'clip', 'countNoise'],
          `expected more than ${least}, half the noise multiplier: count and update share one budget; or null`,
        );
    }
    if (cohort.sampling.kind === 'poisson' && cohort.max !== null)
      fail(['cohort', 'max'], 'expected none with poisson sampling: a cap would not be the sampling that is accounted');
  });

/** A federation's settings, complete. */
export type FederationSettings = z.output<typeof federationSettingsSchema>;

/** As a person writes them: what is left out has a default. */
export type FederationSettingsInput = z.input<typeof federationSettingsSchema>;
