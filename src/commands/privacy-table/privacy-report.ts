/** `report.json`: all rows against the undefended one, the best of them, and what to choose. */

import { difference } from '../../../clients/typescript/improvement/bootstrap.js';
import type { ExampleScore } from '../../../clients/typescript/inference/evaluate.js';
import type { Measured } from './measure-setting.js';
import type { Model } from './models.js';
import { paretoRows } from './pareto.js';
import { bestOf, type FailedRow, type LeakKind, leakKinds, type PrivacyRow } from './privacy-row.js';
import { type Recommendation, recommend } from './recommend.js';
import { type Setting, UNDEFENDED } from './setting.js';

export interface PrivacyReport {
  readonly formatVersion: 1;
  /** Version of the attackers. */
  readonly suite: number;
  /** Index of the undefended row that does the task best: all are compared with it. */
  readonly reference: number;
  readonly rows: readonly PrivacyRow[];
  readonly failed: readonly FailedRow[];
  /** Indexes of rows that no other one beats in both task and leak. */
  readonly pareto: Readonly<Record<LeakKind, readonly number[]>>;
  readonly recommendation: Recommendation;
  readonly records: { readonly own: number; readonly planted: number };
}

/** A setting that was measured at a cut. */
export interface MeasuredSetting {
  readonly model: Pick<Model, 'cut'>;
  readonly setting: Setting;
  readonly measured: Measured | string;
}

/**
 * @param all At least one undefended row among them
 * @param maxLossPoints Undefined: each goal's own
 */
export function privacyReport(all: readonly MeasuredSetting[], seed: number, maxLossPoints: number | undefined): PrivacyReport {
  const done = all.flatMap((one) => (typeof one.measured === 'string' ? [] : [{ ...one, measured: one.measured }]));
  const bare = done.filter(({ setting }) => setting.text === UNDEFENDED);
  const base = bare.reduce((best, one) => (exactOf(one.measured) > exactOf(best.measured) ? one : best), bare[0]!);
  const rows = done.map(({ model: { cut }, setting, measured: { trained, audit } }): PrivacyRow => {
    const { scores, defences, guarantees, adapter, task, cost } = trained;
    const inferences = audit.attackers.flatMap(({ id, measures }) => measures.map((measure) => ({ attacker: id, ...measure })));
    const { exactMatch, loss } = difference(asScores(base.measured.trained.scores), asScores(scores), seed);
    return {
      ...{ cut, setting: setting.text, defences, guarantees, adapter, task, cost, inferences },
      difference: { exactMatch, loss },
      leaks: Object.fromEntries(leakKinds.map((kind) => [kind, bestOf(inferences, kind)])) as PrivacyRow['leaks'], // all kinds
      skipped: audit.attackers.flatMap(({ id, skipped }) => (skipped === null ? [] : [{ attacker: id, why: skipped }])),
      shown: audit.shown ?? [],
    };
  });
  const failed = all.flatMap(({ model: { cut }, setting, measured }) =>
    typeof measured === 'string' ? [{ cut, setting: setting.text, why: measured }] : [],
  );
  const { suite, records } = base.measured.audit;
  return {
    ...{ formatVersion: 1, suite, rows, failed, reference: done.indexOf(base) },
    pareto: Object.fromEntries(leakKinds.map((kind) => [kind, paretoRows(rows, kind)])) as PrivacyReport['pareto'], // all kinds
    recommendation: recommend(rows, maxLossPoints),
    records: { own: records.own, planted: records.planted },
  };
}

const exactOf = ({ trained }: Measured): number => trained.task.exactMatch;

/** JSON has no undefined. */
function asScores(scores: readonly ExampleScore[]): readonly ExampleScore[] {
  return scores.map((score) => ({ ...score, exact: score.exact ?? undefined }));
}
