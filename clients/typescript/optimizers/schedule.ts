/** Learning-rate schedules of `transformers.optimization`: a factor on the base rate per step. */
import { CutlayerError } from '../../../src/errors.js';

/** Factor of optimizer step `step`, counted from 0. */
export type Schedule = (step: number) => number;

interface ScheduleShape {
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** The closed table of schedules. All rise linearly from 0 over `warmupSteps`. */
const schedules = {
  constant: () => () => 1,
  linear:
    ({ warmupSteps, totalSteps }: ScheduleShape) =>
    (step: number) =>
      Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)),
  cosine:
    ({ warmupSteps, totalSteps }: ScheduleShape) =>
    (step: number) =>
      Math.max(0, 0.5 * (1 + Math.cos((Math.PI * (step - warmupSteps)) / Math.max(1, totalSteps - warmupSteps)))),
} as const satisfies Record<string, (shape: ScheduleShape) => Schedule>;

/** A key of the schedule table. */
export type ScheduleName = keyof typeof schedules;

/** All schedule names, for help texts. */
export const scheduleNames = Object.keys(schedules) as readonly ScheduleName[];

/** Makes a schedule. @throws CutlayerError INVALID_ARGUMENT (unknown name, negative steps) */
export function schedule(name: ScheduleName, { warmupSteps = 0, totalSteps }: Partial<ScheduleShape> & { totalSteps: number }): Schedule {
  if (!Object.hasOwn(schedules, name)) {
    throw new CutlayerError('INVALID_ARGUMENT', `schedule: expected one of ${scheduleNames.join(', ')}, got ${String(name)}`);
  }
  for (const [what, value] of Object.entries({ warmupSteps, totalSteps })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new CutlayerError('INVALID_ARGUMENT', `schedule: ${what} must be a whole number of steps, at least 0; got ${value}`);
    }
  }
  const after = schedules[name]({ warmupSteps, totalSteps });
  return (step) => (step < warmupSteps ? step / Math.max(1, warmupSteps) : after(step));
}
