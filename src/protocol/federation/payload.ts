/**
 * The numbers that a participant gives into a round: their count, their range, and what the sum is
 * divided by. One place for both sides.
 */
import type { EnlistmentTerms, RoundPurpose } from './enlistment.js';
import { type Manifest, updateLength } from './manifest.js';

/**
 * Held-out slices that are measured: all held-out examples, and the earlier ones (for forgetting).
 */
export const evaluationSlices = ['current', 'earlier'] as const;

/**
 * Metrics of a version on a slice, each in [0, 1]: mean loss divided by `lossCap`, accuracy of
 * label tokens, accuracy of whole answers.
 */
export const evaluationMetrics = ['loss', 'accuracy', 'exactMatch'] as const;

/** Versions that an evaluate round compares. */
export const evaluatedVersions = ['promoted', 'candidate'] as const;

/** Values of an evaluate round's payload: by version, then slice, then metric. */
export const EVALUATION_LENGTH = evaluatedVersions.length * evaluationSlices.length * evaluationMetrics.length;

/** Where a metric stands in an evaluate round's payload. */
export function metricIndex(
  version: (typeof evaluatedVersions)[number],
  slice: (typeof evaluationSlices)[number],
  metric: (typeof evaluationMetrics)[number],
): number {
  return (
    (evaluatedVersions.indexOf(version) * evaluationSlices.length + evaluationSlices.indexOf(slice)) * evaluationMetrics.length +
    evaluationMetrics.indexOf(metric)
  );
}

/** Whether train payloads end in the clip bit: 1/2 within the clip norm, else -1/2. */
export function hasClipBit({ settings: { privacy } }: Pick<Manifest, 'settings'>): boolean {
  return privacy?.clip.kind === 'adaptive';
}

/** Number of values of a payload. */
export function payloadLength(manifest: Pick<Manifest, 'settings' | 'parameters'>, purpose: RoundPurpose): number {
  return purpose === 'evaluate' ? EVALUATION_LENGTH : updateLength(manifest) + (hasClipBit(manifest) ? 1 : 0);
}

/** The factor of a participant's payload, in (0, 1]. Metrics count every participant alike. */
export function weightFactor(
  { settings: { weights } }: Pick<Manifest, 'settings'>,
  { purpose, examples }: Pick<EnlistmentTerms, 'purpose' | 'examples'>,
): number {
  if (purpose === 'evaluate' || weights.kind === 'uniform') return 1;
  return Math.min(examples, weights.maxExamples) / weights.maxExamples;
}

/** Largest |value| of one coordinate of one participant's payload, before noise. */
export function payloadBound(
  { settings: { secureAggregation, privacy } }: Pick<Manifest, 'settings'>,
  purpose: RoundPurpose,
  clipNorm: number | null,
): number {
  if (purpose === 'evaluate') return 1;
  const bound = secureAggregation?.bound ?? Number.POSITIVE_INFINITY;
  return privacy === null || clipNorm === null ? bound : Math.min(bound, Math.max(clipNorm, 0.5));
}
