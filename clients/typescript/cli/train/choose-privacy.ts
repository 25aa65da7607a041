/** From the options of example-level differential privacy to a step's noise. */
import { CutlayerError } from '../../../../src/errors.js';
import { noiseMultiplierFor } from '../../../../src/privacy/calibrate.js';
import type { StepPrivacy } from '../../training/privacy/private-gradient-sum.js';
import type { RunPrivacy } from '../../training/privacy/run-ledger.js';
import type { PrivacyFlags } from './privacy-options.js';

/** A run's privacy, in the two places that are told. */
export interface ChosenPrivacy {
  readonly step: StepPrivacy;
  readonly run: RunPrivacy;
}

/**
 * What a run is told of privacy; undefined when it is not private.
 * @throws CutlayerError INVALID_OPTION (neither noise nor a budget, or batches larger than the
 *   data), INVALID_ARGUMENT (a budget that no noise keeps)
 */
export function choosePrivacy(
  flags: PrivacyFlags & { readonly batch: number; readonly accumulation: number },
  { examples, totalSteps }: { readonly examples: number; readonly totalSteps: number },
): ChosenPrivacy | undefined {
  const { dpClipNorm: clipNorm, dpNoiseMultiplier, dpEpsilon: epsilon, dpDelta: delta, batch, accumulation } = flags;
  if (clipNorm === undefined) return undefined;
  const expectedBatch = batch * accumulation;
  if (expectedBatch > examples) {
    throw new CutlayerError(
      'INVALID_OPTION',
      `--batch ${batch} x --accumulation ${accumulation}: a private step samples so many of ${examples} examples; pass --batch ${examples} --accumulation 1 or less`,
    );
  }
  const noiseMultiplier = dpNoiseMultiplier ?? noiseFor(epsilon, delta, expectedBatch / examples, totalSteps);
  return { step: { clipNorm, noiseMultiplier, expectedBatch }, run: { delta, epsilon } };
}

function noiseFor(epsilon: number | undefined, delta: number, rate: number, count: number): number {
  if (epsilon === undefined) {
    throw new CutlayerError('INVALID_OPTION', '--dp-clip-norm: say how much noise, by --dp-noise-multiplier or by --dp-epsilon');
  }
  return noiseMultiplierFor({ epsilon, delta, sampling: { kind: 'poisson', rate }, count });
}
