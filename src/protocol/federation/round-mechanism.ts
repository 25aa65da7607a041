/**
 * The arithmetic of a round's payloads, by manifest, purpose and cohort: ring, fixed point, noise
 * and its privacy cost. Coordinator and participants both use it, because they must get the same
 * values.
 */
import { CutlayerError } from '../../errors.js';
import { type CentralMechanism, CentralSum } from '../../privacy/central.js';
import { type DistributedPlan, planDistributed } from '../../privacy/distributed.js';
import type { PrivacyEvent } from '../../privacy/event.js';
import type { FixedPoint } from '../secagg/fixed-point.js';
import { defaultGraph, fewestSurvivorsOf, type SecAggRound, thresholdOf } from '../secagg/settings.js';
import type { RoundPurpose } from './enlistment.js';
import type { Manifest } from './manifest.js';
import { EVALUATION_LENGTH, payloadBound, payloadLength } from './payload.js';

/** The part of a manifest that decides here. */
export type RoundRules = Pick<Manifest, 'settings' | 'parameters' | 'members'>;

/** How a payload becomes what is submitted, and a sum becomes values again. */
export type RoundArithmetic =
  /** Without secure aggregation: float32; the coordinator adds the noise, if any. */
  | { readonly kind: 'plain'; readonly noise: CentralMechanism | null }
  /** Fixed point in the ring, rounded stochastically. */
  | { readonly kind: 'fixed'; readonly fixedPoint: FixedPoint }
  /** Fixed point in the ring, with the participant's share of the noise. */
  | { readonly kind: 'distributed'; readonly plan: DistributedPlan };

/** What of a round the arithmetic depends on. */
export interface RoundShape {
  /** Members of the round's cohort. */
  readonly cohort: number;
  /** Clip norm of a train round; null without clipping, and in evaluate rounds. */
  readonly clipNorm: number | null;
}

/** L2 norm of a payload of metrics, each within [0, 1]. */
export const EVALUATION_NORM = Math.sqrt(EVALUATION_LENGTH);

/** Largest complete graph: shares have 255 places. */
const MOST_NEIGHBOURS = 255;

/** The most members that a round may have. */
export function maxCohortOf({ settings: { cohort }, members }: Pick<Manifest, 'settings' | 'members'>): number {
  return Math.min(cohort.max ?? members.length, members.length);
}

/** A round's secure aggregation. @throws CutlayerError INTERNAL when the federation has none */
export function secAggRoundOf(
  { id, manifest }: { readonly id: string; readonly manifest: RoundRules },
  round: number,
  purpose: RoundPurpose,
): SecAggRound {
  const { secureAggregation, cohort } = manifest.settings;
  if (secureAggregation === null) throw new CutlayerError('INTERNAL', `federation ${id}: it has no secure aggregation`);
  return {
    federation: id,
    round,
    bits: secureAggregation.bits,
    length: payloadLength(manifest, purpose),
    threshold: secureAggregation.thresholdFraction,
    minSurvivors: secureAggregation.minSurvivors,
    minCohort: cohort.min,
    maxCohort: maxCohortOf(manifest),
    graph: { ...defaultGraph, completeUpTo: Math.min(MOST_NEIGHBOURS, secureAggregation.graphAbove) },
  };
}

/** The fewest members of a cohort that an aggregate may come from. */
export function fewestSurvivors({ settings: { secureAggregation, cohort: rules } }: Pick<Manifest, 'settings'>, cohort: number): number {
  if (secureAggregation === null) return rules.min;
  const { thresholdFraction: threshold, minSurvivors } = secureAggregation;
  return fewestSurvivorsOf({ threshold, minSurvivors }, cohort);
}

/**
 * The fewest members of a cohort that confirm one list of survivors, and can open a secret. Without
 * secure aggregation {@link fewestSurvivors}.
 */
export function openingMembers(manifest: Pick<Manifest, 'settings'>, cohort: number): number {
  const { secureAggregation } = manifest.settings;
  if (secureAggregation === null) return fewestSurvivors(manifest, cohort);
  return thresholdOf({ threshold: secureAggregation.thresholdFraction }, cohort);
}

/**
 * How a round's payloads travel. @throws CutlayerError INVALID_CONFIG or INVALID_ARGUMENT when the
 * ring is too small for what is asked of it
 */
export function roundArithmetic(manifest: RoundRules, purpose: RoundPurpose, shape: RoundShape): RoundArithmetic {
  const { secureAggregation } = manifest.settings;
  const noise = centralMechanism(manifest, purpose, shape);
  if (secureAggregation === null) return { kind: 'plain', noise };
  const { bits } = secureAggregation;
  const parties = maxCohortOf(manifest);
  if (noise === null) return { kind: 'fixed', fixedPoint: { bits, parties, bound: payloadBound(manifest, purpose, shape.clipNorm) } };
  return {
    kind: 'distributed',
    plan: planDistributed({ ...noise, bits, maxParties: parties, minSurvivors: fewestSurvivors(manifest, shape.cohort) }),
  };
}

/** What the release of a round's sum costs; null when the federation claims no privacy. */
export function privacyEventOf(manifest: RoundRules, purpose: RoundPurpose, shape: RoundShape): PrivacyEvent | null {
  const arithmetic = roundArithmetic(manifest, purpose, shape);
  if (arithmetic.kind === 'distributed') return arithmetic.plan.event;
  if (arithmetic.kind === 'fixed' || arithmetic.noise === null) return null;
  const { event } = new CentralSum({ ...arithmetic.noise, dimension: 1 });
  const rate = amplifyingRate(manifest);
  return rate === null ? event : { ...event, sampling: { kind: 'poisson', rate } };
}

/**
 * The rate of Poisson sampling where it makes a release cheaper; null where it does not. Every draw
 * has to be released, the empty one included (`cohort.min` 1). If small draws were discarded, a
 * released round would show that others were drawn. The member that completes the smallest cohort
 * would not be hidden. With the members' own noise, the noise of the sum would depend on the draw.
 */
export function amplifyingRate({ settings }: Pick<Manifest, 'settings'>): number | null {
  const { cohort, secureAggregation, privacy } = settings;
  if (privacy === null || secureAggregation !== null || cohort.min > 1 || cohort.sampling.kind !== 'poisson') return null;
  return cohort.sampling.rate;
}

/** Sensitivity and noise, wherever the noise is added; null without privacy. */
function centralMechanism(manifest: RoundRules, purpose: RoundPurpose, { clipNorm }: RoundShape): CentralMechanism | null {
  const { privacy, evaluation, cohort } = manifest.settings;
  if (privacy === null) return null;
  if (purpose === 'evaluate') {
    if (evaluation?.noiseMultiplier == null) throw new CutlayerError('INTERNAL', 'an evaluate round without noise in a private federation');
    return { dimension: EVALUATION_LENGTH, clipNorm: EVALUATION_NORM, noiseMultiplier: evaluation.noiseMultiplier };
  }
  if (clipNorm === null) throw new CutlayerError('INTERNAL', 'a train round without clip norm in a private federation');
  const { clip, noiseMultiplier } = privacy;
  const adaptive = clip.kind === 'adaptive';
  return {
    dimension: payloadLength(manifest, 'train') - (adaptive ? 1 : 0),
    clipNorm,
    noiseMultiplier,
    ...(adaptive ? { countDeviation: clip.countNoise ?? Math.max(1, cohort.min / 20, noiseMultiplier) } : {}),
  };
}

/** The clip norm of the first round; null without clipping. Each aggregate names the next one. */
export function initialClipNorm({ settings: { privacy } }: Pick<Manifest, 'settings'>): number | null {
  if (privacy === null) return null;
  return privacy.clip.kind === 'fixed' ? privacy.clip.norm : privacy.clip.initialNorm;
}
