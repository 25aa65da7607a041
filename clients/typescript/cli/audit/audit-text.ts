/** The report of an audit for a person. */
import { exposure, exposureAt } from '../../../../src/artifacts/exposure.js';
import type { AuditReport } from '../../audit/audit.js';
import { defenceText } from '../../defences/defence.js';
import { ofLabels } from '../../defences/recorded.js';
import { columns, percent } from '../text-layout.js';

/** One line each. */
export function auditLines(report: AuditReport): readonly string[] {
  const { suite, cut, wire, adapter, defences, records, attackers, answered } = report;
  const results = attackers.filter(({ skipped }) => skipped === null);
  const skipped = attackers.filter((one) => one.skipped !== null);
  const rows = results.flatMap(({ id, measures }) =>
    measures.map(({ metric, value, low, high, chance, count }) => [
      ...[id, metric, percent(value), `${percent(low)} to ${percent(high)}`, percent(chance), count.toLocaleString('en-US')],
    ]),
  );
  return [
    `suite ${suite}; k = ${cut.bottom}, m = ${cut.top}, wire ${wire}; ${answered ? '' : 'offline: nothing was sent; '}` +
      `${adapter.method}${adapter.fresh ? ' (fresh)' : ''}, ${adapter.virtualTokens} virtual tokens`,
    `${records.own} records, ${records.tokens.toLocaleString('en-US')} tokens, and ${records.planted} planted records`,
    `defences: ${defences.length === 0 ? 'none' : defences.map(defenceText).join(', ')}`,
    ...(defences.some(({ name }) => ofLabels.includes(name))
      ? ['Tokens are judged by what was sent, with the labels that were drawn; labels by those that the records have.']
      : []),
    '',
    ...(rows.length === 0
      ? []
      : [...columns([['', 'an adversarial vendor infers', 'result', '95 % interval', 'chance', 'of'], ...rows]), '']),
    ...results.map(({ id, title, knows, says }) => `${id} ${title}. Given: ${knows}. ${says[0]!.toUpperCase()}${says.slice(1)}`),
    ...skipped.map(({ id, title, skipped: why }) => `${id} ${title}. Skipped: ${why}.`),
    '',
    exposure,
    exposureAt(cut.bottom),
    'Figures are lower bounds for these records, this model and these settings: another attacker may recover more. They are no guarantee.',
  ];
}
