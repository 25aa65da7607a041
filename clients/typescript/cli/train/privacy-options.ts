/** The options of example-level differential privacy. */
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
