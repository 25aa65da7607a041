/** A report of use: sums with what they cost, as JSON or CSV. */
import { costOf } from '../../protocol/metering/prices.js';
import type { GatewayDatabase } from '../tables/database.js';
import { amountNames } from './charge.js';
import type { PriceBook } from './price-file.js';
import type { UsageRequest } from './usage-request.js';

/** Work of one period, tenant, model and adapter. */
export interface UsageRow extends Readonly<Record<(typeof amountNames)[number], number>> {
  readonly tenant: string;
  /** The period's beginning, such as 2027-03-01T12:00:00.000Z. */
  readonly from: string;
  readonly model: string;
  readonly modelName: string;
  readonly adapter: string;
  /** With six places; null without prices. */
  readonly cost: string | null;
}

/** A page of a report. */
export interface UsageReport {
  readonly by: 'hour' | 'day';
  readonly currency: string | null;
  readonly rows: readonly UsageRow[];
  /** Of the next page; null on the last one. */
  readonly cursor: string | null;
}

/** Reads a page. @throws CutlayerError of the database */
export async function usageReport(
  database: GatewayDatabase,
  prices: PriceBook | undefined,
  { by, ...query }: UsageRequest,
): Promise<UsageReport> {
  const { limit, offset } = query;
  const sums = await database.transaction(({ usage }) => usage.sums({ ...query, limit: limit + 1 }));
  const rows = sums.slice(0, limit).map(({ hour, tenant, model, modelName, adapter, ...amounts }): UsageRow => {
    const cost = prices === undefined ? null : costOf(amounts, prices.of(model, modelName));
    return { tenant, from: new Date(hour).toISOString(), model, modelName, adapter, ...amounts, cost };
  });
  return { by, currency: prices?.currency ?? null, rows, cursor: sums.length > limit ? String(offset + limit) : null };
}

const columns = ['tenant', 'from', 'model', 'modelName', 'adapter', ...amountNames, 'cost', 'currency'] as const;

/** The rows as CSV (RFC 4180), with a line of names. */
export function usageCsv({ rows, currency }: UsageReport): string {
  const lines = rows.map((row) => columns.map((column) => field(column === 'currency' ? currency : row[column])).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}

/** A field; a text that a spreadsheet would take as a formula gets an apostrophe before it. */
function field(value: string | number | null): string {
  if (typeof value === 'number') return String(value);
  const text = value ?? '';
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
