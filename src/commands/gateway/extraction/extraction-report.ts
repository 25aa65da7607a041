/** What an extraction audit has found, as JSON and as text. */
import { columns, figure, percent } from '../../../../clients/typescript/cli/text-layout.js';
import type { Quality, Recovery } from './recovery.js';

/** The three students. */
export const arms = ['withoutAccess', 'protected', 'unprotected'] as const;

/** One of {@link arms}. */
export type Arm = (typeof arms)[number];

/** How each is called. */
export const armNames: Readonly<Record<Arm, string>> = {
  withoutAccess: 'without access',
  protected: 'protected',
  unprotected: 'unprotected',
};

/** What a tenant got of a gateway. */
export interface Taken {
  /** Rows that were answered. */
  readonly rows: number;
  /** The policy that ended it, and its bound; null when everything was answered. */
  readonly refused: { readonly policy: string; readonly allowed: number } | null;
  /** Policies in the gateway's audit log, by the decision. */
  readonly audited: { readonly alarms: readonly string[]; readonly refusals: readonly string[] };
}

/** A student. */
export interface StudentReport extends Quality {
  /** Rows of answers that it was trained on. */
  readonly rows: number;
  /** Null of the one without access, or where the model is not better than it. */
  readonly recovery: Recovery | null;
}

/** `report.json`. */
export interface ExtractionReport {
  readonly formatVersion: 1;
  readonly backboneDigest: string;
  readonly model: Quality;
  readonly students: Readonly<Record<Arm, StudentReport>>;
  readonly taken: Readonly<Record<Exclude<Arm, 'withoutAccess'>, Taken>>;
  /** Rows that were asked for. */
  readonly rowsAsked: number;
  /** The bound of a day; null: the policy has none. */
  readonly rowsPerDay: number | null;
  readonly student: { readonly from: string; readonly parameters: number; readonly steps: number };
  readonly heldOut: { readonly texts: number; readonly targets: number };
}

/** The report for a person. */
export function extractionLines(report: ExtractionReport): readonly string[] {
  const { model, students, taken, rowsAsked, rowsPerDay, heldOut, student } = report;
  const row = (name: string, { accuracy, loss, exact }: Quality, rows: string, recovery: string): readonly string[] => [
    name,
    rows,
    percent(accuracy),
    percent(exact),
    figure(loss, 3),
    recovery,
  ];
  const { refused, audited } = taken.protected;
  const days = rowsPerDay === null ? undefined : Math.ceil(rowsAsked / rowsPerDay);
  return [
    `student: ${student.from}, ${student.parameters.toLocaleString('en-US')} weights, ${student.steps} steps`,
    `held out: ${heldOut.texts} texts, ${heldOut.targets} labels`,
    '',
    ...columns([
      ['', 'rows answered', 'labels right', 'texts right', 'loss', 'recovery (95 % interval)'],
      ...arms.map((arm) => {
        const { rows, recovery } = students[arm];
        const shown = recovery === null ? '-' : `${percent(recovery.ratio)} (${percent(recovery.low)} to ${percent(recovery.high)})`;
        return row(armNames[arm], students[arm], rows.toLocaleString('en-US'), shown);
      }),
      row('the model', model, '', ''),
    ]),
    '',
    refused === null
      ? `the policy refused nothing in ${taken.protected.rows.toLocaleString('en-US')} rows: it does not bound this attack; set rows-per-day`
      : `${refused.policy} (${refused.allowed.toLocaleString('en-US')}) ended it after ${taken.protected.rows.toLocaleString('en-US')} rows`,
    `in the audit log: ${counted(audited.alarms, 'alarm')}, ${counted(audited.refusals, 'refusal')}`,
    ...(days === undefined || refused === null
      ? []
      : [`${rowsAsked.toLocaleString('en-US')} rows take such a tenant ${days} ${days === 1 ? 'day' : 'days'}`]),
    'A lower bound: more texts, more steps or a better student recover more. It says nothing of other data.',
  ];
}

function counted(policies: readonly string[], what: string): string {
  return policies.length === 0
    ? `no ${what}`
    : `${policies.length} ${what}${policies.length === 1 ? '' : 's'} (${[...new Set(policies)].join(', ')})`;
}
