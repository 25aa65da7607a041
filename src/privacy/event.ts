/** Released events as the accountant sees them: plain JSON, stored unchanged in a ledger. */
import { z } from 'zod';
import { CutlayerError } from '../errors.js';

const samplingSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('poisson'), rate: z.number().min(0).max(1) }),
]);

/** How contributions were chosen. Only Poisson sampling hidden from adversaries lowers the cost. */
export type Sampling = Readonly<z.output<typeof samplingSchema>>;

const count = z.int().min(0);

const gaussianSchema = z.strictObject({
  kind: z.literal('gaussian'),
  /** The noise's deviation over the L2 sensitivity, not a variance. 0: no noise. */
  noiseMultiplier: z.number().min(0),
  sampling: samplingSchema,
  count,
});

/** Noise of one source: the (discrete) Gaussian mechanism, `count` times. */
export type GaussianEvent = Readonly<z.output<typeof gaussianSchema>>;

const distributedSchema = z.strictObject({
  kind: z.literal('distributedGaussian'),
  /** Deviation of one participant's noise, in whole units; the theorem on sums needs 1/2. */
  sigma: z.number().min(0.5),
  /** Contributions whose noise every released sum has. */
  minSurvivors: z.int().min(1),
  /** The largest squared L2 norm of one contribution, in the same units. */
  sensitivitySquared: z.number().min(0),
  dimension: z.int().min(1),
  count,
});

/** A sum of discrete Gaussians, `count` times; those beyond `minSurvivors` only add noise. */
export type DistributedGaussianEvent = Readonly<z.output<typeof distributedSchema>>;

export type PrivacyEvent = GaussianEvent | DistributedGaussianEvent;

const schema = z.discriminatedUnion('kind', [gaussianSchema, distributedSchema]);

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
