/** The settings of each strategy: how the coordinator makes one update of many. */
import { z } from 'zod';

const positive = z.number().positive().max(1e9);
const whole = (least: number, most: number) => z.int().min(least).max(most);

/** How the coordinator makes one update of many. */
export const strategySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fedavg'), serverLearningRate: positive.prefault(1) }),
  z.strictObject({
    kind: z.literal('fedavgm'),
    serverLearningRate: positive.prefault(1),
    momentum: z.number().min(0).lt(1).prefault(0.9),
  }),
  ...(['fedadam', 'fedyogi'] as const).map((kind) =>
    z.strictObject({
      kind: z.literal(kind),
      serverLearningRate: positive.prefault(0.1),
      beta1: z.number().min(0).lt(1).prefault(0.9),
      beta2: z.number().min(0).lt(1).prefault(0.99),
      tau: positive.prefault(1e-3),
    }),
  ),
  /** FedAvg whose participants add mu/2 · |w − w_round|² to their loss. */
  z.strictObject({ kind: z.literal('fedprox'), serverLearningRate: positive.prefault(1), mu: z.number().min(0).max(1e6).prefault(0.01) }),
  z.strictObject({ kind: z.literal('median') }),
  z.strictObject({ kind: z.literal('trimmed-mean'), trim: whole(1, 5000) }),
  z.strictObject({ kind: z.literal('krum'), byzantine: whole(0, 5000) }),
  z.strictObject({ kind: z.literal('multi-krum'), byzantine: whole(0, 5000), select: whole(1, 10_000) }),
  z.strictObject({ kind: z.literal('norm-bound'), bound: positive }),
]);

/** How updates are combined. */
export type StrategySettings = z.output<typeof strategySchema>;
