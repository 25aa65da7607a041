/** A row of the table: what a setting leaks, what it costs, and what it guarantees. */
import type { ShownRecord } from '../../../clients/typescript/audit/audit.js';
import { inferred, type Measure } from '../../../clients/typescript/audit/metrics.js';
import type { RecordedDefence } from '../../../clients/typescript/defences/defence.js';
import type { Estimate } from '../../../clients/typescript/improvement/bootstrap.js';

/** What an attacker inferred. */
export interface Inference extends Measure {
  readonly attacker: string;
}

/** One of the three things that goals are about. */
export type LeakKind = keyof typeof inferred;

/** Their names. */
export const leakKinds = Object.keys(inferred) as readonly LeakKind[];

/** How the task goes under a setting. */
export interface TaskResult {
  /** Share of test examples whose every label is right. */
  readonly exactMatch: number;
  /** Share of labels. */
  readonly accuracy: number;
  /** Mean over labels, nats. */
  readonly loss: number;
  readonly examples: number;
}

/** What training under a setting took. */
export interface SettingCost {
  readonly steps: number;
  readonly bytesUpPerStep: number;
  readonly bytesDownPerStep: number;
  readonly secondsPerStep: number;
}

export interface PrivacyRow {
  readonly cut: { readonly bottom: number; readonly top: number };
  readonly setting: string;
  readonly defences: readonly RecordedDefence[];
  /** Formal ones, with unit, epsilon and delta; mostly none. */
  readonly guarantees: readonly string[];
  readonly adapter: { readonly method: string; readonly virtualTokens: number; readonly parameters: number };
  readonly task: TaskResult;
  /** Against the undefended row, on the same examples; its own is zero. */
  readonly difference: { readonly exactMatch: Estimate; readonly loss: Estimate };
  /** The best attacker of each; null: none could run. */
  readonly leaks: Readonly<Record<LeakKind, Inference | null>>;
  /** All that attackers inferred. */
  readonly inferences: readonly Inference[];
  readonly skipped: readonly { readonly attacker: string; readonly why: string }[];
  readonly cost: SettingCost;
  readonly shown: readonly ShownRecord[];
}

/** A setting that could not be measured. */
export interface FailedRow extends Pick<PrivacyRow, 'cut' | 'setting'> {
  readonly why: string;
}

/** The largest figure of a kind. */
export function bestOf(inferences: readonly Inference[], kind: LeakKind): Inference | null {
  const found = inferences.filter(({ metric }) => metric === inferred[kind]);
  return found.reduce<Inference | null>((best, one) => (best === null || one.value > best.value ? one : best), null);
}

/** As `k = 1, row-noise=2`. */
export function rowName({ cut, setting }: Pick<PrivacyRow, 'cut' | 'setting'>): string {
  return `k = ${cut.bottom}${cut.top === 0 ? '' : `, m = ${cut.top}`}, ${setting}`;
}

/** Points of the task that a row loses; less than 0: it gains. */
export function lossPoints({ difference }: PrivacyRow): number {
  return -100 * difference.exactMatch.value;
}
