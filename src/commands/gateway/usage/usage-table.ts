/** A report of use as a table for people. */
import { amountNames } from '../../../gateway/ledger/charge.js';
import type { UsageReport } from '../../../gateway/ledger/usage-report.js';

const texts = ['from', 'tenant', 'model', 'adapter'] as const;

/** A line for each row, numbers to the right. */
export function usageTable({ rows, currency }: Pick<UsageReport, 'rows' | 'currency'>, by: UsageReport['by']): string {
  if (rows.length === 0) return 'no use in this time\n';
  const cost = currency === null ? [] : [`cost ${currency}`];
  const lines = rows.map((row) => [
    ...[row.from.slice(0, by === 'day' ? 10 : 16), row.tenant, row.modelName, row.adapter],
    ...amountNames.map((name) => String(row[name])),
    ...(currency === null ? [] : [row.cost ?? '']),
  ]);
  const all = [[...texts, ...amountNames, ...cost], ...lines];
  const widths = all[0]!.map((_, column) => all.reduce((most, cells) => Math.max(most, cells[column]!.length), 0));
  const padded = (cell: string, column: number): string =>
    column < texts.length ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return all.map((cells) => `${cells.map(padded).join('  ').trimEnd()}\n`).join('');
}
