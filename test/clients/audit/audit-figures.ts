/** Figures of an audit's results, by attacker and name. */
import assert from 'node:assert/strict';
import type { AttackerId, VendorView } from '../../../clients/typescript/audit/attacker.js';
import type { Measure } from '../../../clients/typescript/audit/metrics.js';
import { type AttackResult, runSuite } from '../../../clients/typescript/audit/suite.js';
import type { Truth } from '../../../clients/typescript/audit/truth.js';
import { scrambled } from './audit-rig.js';

/** An attacker's figures by their names. */
export function figuresOf(results: readonly AttackResult[], id: string): Readonly<Record<string, Measure>> {
  const found = results.find((one) => one.id === id);
  assert.equal(found?.skipped, null, `${id}: ${found?.skipped}`);
  return Object.fromEntries(found.measures.map((measure) => [measure.metric, measure]));
}

export const values = (results: readonly AttackResult[], id: string, ...metrics: readonly string[]): readonly number[] => {
  const figures = figuresOf(results, id);
  return metrics.map((metric) => figures[metric]!.value);
};

/** One attacker on a trace that says nothing of the records. */
export const alone = (view: VendorView, truth: Truth, id: AttackerId, seed = 7): Promise<readonly AttackResult[]> =>
  runSuite({ view: scrambled(view, seed), truth, only: [id], kept: (_, work) => work(), onProgress: () => undefined });
