/**
 * What the payloads of so many members can add up to. Any other sum has a false payload in it: the
 * coordinator aborts the round, and members refuse a broadcast of it. A false payload within the
 * range is not found: secure aggregation hides it.
 */
import { CutlayerError } from '../../errors.js';
import type { DistributedPlan } from '../../privacy/distributed.js';
import { type FixedPoint, scaleOf } from '../secagg/fixed-point.js';
import type { VersionMetrics } from './chain.js';
import type { Manifest } from './manifest.js';
import { EVALUATION_NORM, fewestSurvivors } from './round-mechanism.js';

type Rules = Pick<Manifest, 'settings' | 'members'>;

/** Deviations beyond which noise counts as a lie; its probability there is below 2^-180. */
const NOISE_DEVIATIONS = 16;

/**
 * The divisor of a private sum. With Poisson sampling it is the expected cohort, since the drawn
 * number depends on the membership. Otherwise it is the number of contributors, whose names are
 * public: the guarantee protects their data, not their membership.
 */
export function privateDivisor({ settings, members }: Rules, contributions: number): number {
  const { sampling } = settings.cohort;
  return sampling.kind === 'poisson' ? sampling.rate * members.length : contributions;
}

/** The range of a mean of metrics that are each within [0, 1]; noise of privacy widens it. */
export function metricRange(manifest: Rules, members: number): { readonly least: number; readonly most: number } {
  const { privacy, evaluation } = manifest.settings;
  if (privacy === null) return { least: 0, most: 1 };
  const more = Math.sqrt(Math.max(1, members / Math.max(1, fewestSurvivors(manifest, manifest.settings.cohort.min))));
  const margin = NOISE_DEVIATIONS * (evaluation?.noiseMultiplier ?? 0) * EVALUATION_NORM * more;
  const divisor = Math.max(privateDivisor(manifest, members), Number.MIN_VALUE);
  return { least: -margin / divisor, most: (members + margin) / divisor };
}

/** What is wrong with means of so many members; null: nothing. */
export function metricsFault(manifest: Rules, { loss, accuracy, exactMatch }: VersionMetrics, members: number): string | null {
  const { least, most } = metricRange(manifest, members);
  const lossCap = manifest.settings.evaluation?.lossCap ?? 1;
  for (const [name, value, unit] of [
    ['loss', loss, lossCap],
    ['accuracy', accuracy, 1],
    ['exactMatch', exactMatch, 1],
  ] as const)
    if (!(value >= least * unit && value <= most * unit))
      return `${members} members cannot have a mean ${name} of ${value}: expected ${least * unit} to ${most * unit}`;
  return null;
}

/** What is wrong with the divisor of an aggregate of so many members; null: nothing. */
export function weightFault(manifest: Rules, weight: number, members: number): string | null {
  const { privacy, weights } = manifest.settings;
  if (privacy === null && weights.kind === 'examples') {
    const least = (members / weights.maxExamples) * (1 - 1e-9);
    const within = weight >= least && weight <= members * (1 + 1e-9);
    return within ? null : `expected a weight from ${least} to ${members} of ${members} members, got ${weight}`;
  }
  const wanted = privacy === null ? members : privateDivisor(manifest, members);
  return weight === wanted ? null : `expected the weight ${wanted} of ${members} members, got ${weight}`;
}

/**
 * A sum in fixed point is within what its members can send.
 *
 * @param sum centred integers
 * @param weight sum of the members' factors
 * @param evaluate the values are metrics, so not below 0
 * @throws CutlayerError SECAGG_FAILED
 */
export function requirePossibleFixed(
  sum: Int32Array,
  { fixedPoint, members, weight, evaluate }: { fixedPoint: FixedPoint; members: number; weight: number; evaluate: boolean },
): void {
  // Each member's rounding adds less than 1.
  const most = weight * fixedPoint.bound * scaleOf(fixedPoint) + members;
  const least = evaluate ? 0 : -most;
  for (const value of sum)
    if (value < least || value > most) throw impossible(members, evaluate ? 'metrics' : 'updates', value / scaleOf(fixedPoint));
}

/**
 * The norm of a noisy sum is within what clipped contributions and their noise can have.
 *
 * @throws CutlayerError SECAGG_FAILED
 */
export function requirePossibleNoisy(
  sum: Int32Array,
  { plan, members }: { readonly plan: DistributedPlan; readonly members: number },
): void {
  const { event, sigma, length } = plan;
  const noise = sigma * Math.sqrt(members) * (Math.sqrt(length) + NOISE_DEVIATIONS);
  const norm = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  if (norm > members * Math.sqrt(event.sensitivitySquared) + noise)
    throw impossible(members, 'clipped and noisy payloads', norm / plan.scale);
}

/** @throws CutlayerError SECAGG_FAILED */
export function requirePossibleMetrics(manifest: Rules, means: readonly VersionMetrics[], members: number): void {
  for (const metrics of means) {
    const fault = metricsFault(manifest, metrics, members);
    if (fault !== null)
      throw new CutlayerError('SECAGG_FAILED', `impossible sum: ${fault}; a member has sent a false payload, begin another round`);
  }
}

function impossible(members: number, what: string, value: number): CutlayerError {
  return new CutlayerError(
    'SECAGG_FAILED',
    `impossible sum: the ${what} of ${members} members cannot add up to ${value}; a member has sent a false payload, begin another round`,
  );
}
