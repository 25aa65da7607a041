/** The table for a terminal. */

import { columns, figure, percent } from '../../../clients/typescript/cli/text-layout.js';
import { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { exposure } from '../../artifacts/exposure.js';
import { byteText } from '../../files/byte-text.js';
import type { PrivacyReport } from './privacy-report.js';
import { type LeakKind, leakKinds, lossPoints, type PrivacyRow, rowName } from './privacy-row.js';

const titles: Readonly<Record<LeakKind, string>> = { tokens: 'tokens', entities: 'planted', labels: 'labels' };

/** What a row guarantees: only what has a unit and numbers. */
export function guaranteeOf({ guarantees }: Pick<PrivacyRow, 'guarantees'>): string {
  return guarantees.length === 0 ? 'none' : guarantees.join('; ');
}

/** Sentences of the defences of some rows, each once. */
export function claimsOf(rows: readonly Pick<PrivacyRow, 'defences'>[]): readonly (readonly [name: string, claim: string])[] {
  const names = new Set(rows.flatMap(({ defences }) => defences.map(({ name }) => name)));
  return Object.entries(defenceClaims).filter(([name]) => names.has(name));
}

/** What holds of every table. */
export const reading =
  'Leaks are what the best attacker got: lower bounds for these records, this model and these settings, and no guarantee. ' +
  'A star: no row has both a better task and a smaller leak. The task is the share of test examples that are right altogether, loss that of its labels in nats.';

/** One line each. */
export function privacyLines({ rows, failed, pareto, recommendation, reference, suite, records }: PrivacyReport): readonly string[] {
  const leakText = (row: PrivacyRow, kind: LeakKind, index: number): string => {
    const leak = row.leaks[kind];
    return leak === null ? '-' : `${percent(leak.value)} ${leak.attacker}${pareto[kind].includes(index) ? ' *' : ''}`;
  };
  const cells = rows.map((row, index) => {
    const { task, difference, cost } = row;
    const { low, high } = difference.exactMatch;
    return [
      ...[rowName(row), ...leakKinds.map((kind) => leakText(row, kind, index)), percent(task.exactMatch)],
      index === reference ? 'reference' : `${figure(lossPoints(row), 1)} (${figure(-100 * high, 1)} to ${figure(-100 * low, 1)})`,
      figure(task.loss, 3),
      byteText(cost.bytesUpPerStep + cost.bytesDownPerStep),
      `${figure(1000 * cost.secondsPerStep, 0)} ms`,
    ];
  });
  const guaranteed = rows.filter(({ guarantees }) => guarantees.length > 0);
  return [
    `suite ${suite}; ${records.own} audited records and ${records.planted} planted ones; ${rows[0]?.task.examples ?? 0} test examples`,
    '',
    ...columns([['', ...leakKinds.map((kind) => titles[kind]), 'task', 'points lost (95 %)', 'loss', 'a step', 'time'], ...cells]),
    '',
    ...failed.map((row) => `${rowName(row)}: not measured: ${row.why}`),
    reading,
    '',
    ...recommendation.goals.map(({ says }) => says),
    `recommended: ${recommendation.says}`,
    '',
    guaranteed.length === 0 ? 'formal guarantees: none of these settings has one' : 'formal guarantees:',
    ...guaranteed.map((row) => `  ${rowName(row)}: ${guaranteeOf(row)}`),
    ...claimsOf(rows).map(([name, claim]) => `${name}: ${claim}`),
    exposure,
  ];
}
