/** Rows of a table with made-up figures. */
import { inferred } from '../../../clients/typescript/audit/metrics.js';
import { bestOf, type Inference, type LeakKind, leakKinds, type PrivacyRow } from '../../../src/commands/privacy-table/privacy-row.js';

const inference = (attacker: string, kind: LeakKind, value: number): Inference => ({
  ...{ attacker, metric: inferred[kind], value },
  ...{ low: value, high: value, chance: 0.1, count: 10 },
});

/** @param lost Share of the task @param leaks Of tokens, entities and labels; null: no attacker could run */
export function rowOf(
  setting: string,
  lost: number,
  leaks: Readonly<Partial<Record<LeakKind, number | null>>>,
  more: Partial<PrivacyRow> = {},
): PrivacyRow {
  const inferences = leakKinds.flatMap((kind) => {
    const value = leaks[kind] ?? null;
    return value === null ? [] : [inference('A0', kind, value), inference('A2', kind, value / 2)];
  });
  const estimate = (value: number) => ({ value, low: value - 0.01, high: value + 0.01 });
  return {
    ...{ cut: { bottom: 0, top: 0 }, setting, defences: [], guarantees: [], inferences, skipped: [], shown: [] },
    adapter: { method: 'prompt-tuning', virtualTokens: 16, parameters: 32 },
    task: { exactMatch: 1 - lost, accuracy: 1 - lost, loss: lost, examples: 100 },
    difference: { exactMatch: estimate(-lost), loss: estimate(lost) },
    leaks: Object.fromEntries(leakKinds.map((kind) => [kind, bestOf(inferences, kind)])) as PrivacyRow['leaks'], // all kinds
    cost: { steps: 2, bytesUpPerStep: 1000, bytesDownPerStep: 500, secondsPerStep: 0.1 },
    ...more,
  };
}
