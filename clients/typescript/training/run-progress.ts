/** A run's place in its data and validations; checkpoints keep it with adapter and optimizer. */
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';

const schema = z.object({
  epoch: z.int().min(0),
  /** Optimizer steps of this epoch that have been taken. */
  stepInEpoch: z.int().min(0),
  /** JSON has no infinity: null before the first validation. */
  bestLoss: z
    .number()
    .nullable()
    .transform((value) => value ?? Number.POSITIVE_INFINITY),
  validationsSinceBest: z.int().min(0),
  /** The last validated step; a run stopped during a validation repeats it. */
  validatedStep: z.int().min(0),
  stoppedEarly: z.boolean(),
});

/** Where a run stands. */
export type RunProgress = Readonly<z.infer<typeof schema>>;

/** Before the first step. */
export const emptyProgress: RunProgress = {
  epoch: 0,
  stepInEpoch: 0,
  bestLoss: Number.POSITIVE_INFINITY,
  validationsSinceBest: 0,
  validatedStep: 0,
  stoppedEarly: false,
};

/** @throws CutlayerError INVALID_ADAPTER */
export function parseProgress(value: unknown, checkpoint: string): RunProgress {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CutlayerError('INVALID_ADAPTER', `${checkpoint}: its state.json does not come from a training run; it cannot be resumed`);
}
