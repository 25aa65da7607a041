/** The options of example-level differential privacy, and from them to a step's noise. */
import { CutlayerError } from '../../../../src/errors.js';
import {
  nonNegativeNumber,
  type OptionRow,
  type OptionTable,
  optional,
  positiveNumber,
  under,
  type ValuesOf,
  withDefault,
} from '../../../../src/options/option.js';
import { noiseMultiplierFor } from '../../../../src/privacy/calibrate.js';
import type { StepPrivacy } from '../../training/privacy/private-gradient-sum.js';
import type { RunPrivacy } from '../../training/privacy/run-ledger.js';

/** Options that are idle without clipping. */
function clipping<T>(row: OptionRow<T>): OptionRow<T> {
  return {
    ...row,
    idle: ({ dpClipNorm }) => (dpClipNorm === undefined ? 'examples are not clipped; turn privacy on with --dp-clip-norm' : undefined),
  };
}

export const privacyOptions = {
  ...under('Differential privacy of the examples', {
    dpClipNorm: optional(
      positiveNumber(
        'norm',
        "train privately: clip each example's gradient to this norm, add noise, sample --batch x --accumulation on average",
      ),
    ),
    dpNoiseMultiplier: clipping(
      optional(nonNegativeNumber('z', 'deviation of the noise over --dp-clip-norm (default: what --dp-epsilon asks for)')),
    ),
    dpEpsilon: clipping(optional(positiveNumber('epsilon', 'never spend more than this; the run ends before the step that would'))),
    dpDelta: clipping(withDefault(positiveNumber('delta', 'the delta of epsilon; below one by the number of examples'), 1e-5)),
  }),
} satisfies OptionTable;

export type PrivacyFlags = ValuesOf<typeof privacyOptions>;

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
