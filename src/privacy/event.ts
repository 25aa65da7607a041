/** Released events as the accountant sees them: plain JSON, stored unchanged in a ledger. */
import { z } from 'zod';
import { CutlayerError } from '../errors.js';

/** How contributions were chosen. Only Poisson sampling hidden from adversaries lowers the cost. */
export type Sampling = { readonly kind: 'none' } | { readonly kind: 'poisson'; readonly rate: number };

/** Noise of one source: the (discrete) Gaussian mechanism, `count` times. */
export interface GaussianEvent {
  readonly kind: 'gaussian';
  /** The noise's deviation over the L2 sensitivity, not a variance. 0: no noise. */
  readonly noiseMultiplier: number;
  readonly sampling: Sampling;
  readonly count: number;
}

/** A sum of discrete Gaussians, `count` times; those beyond `minSurvivors` only add noise. */
export interface DistributedGaussianEvent {
  readonly kind: 'distributedGaussian';
  /** Deviation of one participant's noise, in whole units. */
  readonly sigma: number;
  /** Contributions whose noise every released sum has. */
  readonly minSurvivors: number;
  /** The largest squared L2 norm of one contribution, in the same units. */
  readonly sensitivitySquared: number;
  readonly dimension: number;
  readonly count: number;
}

export type PrivacyEvent = GaussianEvent | DistributedGaussianEvent;

const count = z.int().min(0);
const schema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('gaussian'),
    noiseMultiplier: z.number().min(0),
    sampling: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('none') }),
      z.strictObject({ kind: z.literal('poisson'), rate: z.number().min(0).max(1) }),
    ]),
    count,
  }),
  z.strictObject({
    kind: z.literal('distributedGaussian'),
    // The theorem on sums requires at least 1/2.
    sigma: z.number().min(0.5),
    minSurvivors: z.int().min(1),
    sensitivitySquared: z.number().min(0),
    dimension: z.int().min(1),
    count,
  }),
]);

/** Gaussian noise, by default over all, once. @throws CutlayerError INVALID_ARGUMENT */
export function gaussianEvent(noiseMultiplier: number, sampling: Sampling = { kind: 'none' }, times = 1): GaussianEvent {
  return parsePrivacyEvent({ kind: 'gaussian', noiseMultiplier, sampling, count: times }) as GaussianEvent;
}

/** Checks an event from a file, a message or a caller. @throws CutlayerError INVALID_ARGUMENT */
export function parsePrivacyEvent(value: unknown): PrivacyEvent {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = ['privacy event', ...(issue?.path ?? [])].join('.');
  throw new CutlayerError('INVALID_ARGUMENT', `${where}: ${issue?.message ?? 'invalid'}`);
}
