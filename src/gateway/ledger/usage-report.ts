/** A report of use: sums with what they cost, as JSON or CSV. */
import { z } from 'zod';
import { costOf } from '../../protocol/metering/prices.js';
import type { GatewayDatabase } from '../tables/database.js';
import { amountNames } from './charge.js';
import type { PriceBook } from './price-file.js';
import type { UsageRequest } from './usage-request.js';

/** Work of one period, tenant, model and adapter. */
const usageRowSchema = z.strictObject({
  tenant: z.string(),
  from: z.iso.datetime().describe('beginning of the period'),
  model: z.string().describe("sha256 of the backbone's manifest, hex"),
  modelName: z.string(),
  adapter: z.string(),
  ...(Object.fromEntries(amountNames.map((name) => [name, z.int()])) as Record<(typeof amountNames)[number], z.ZodInt>), // one of each name
  cost: z.string().nullable().describe('with six places; null without prices'),
});

/** Work of one period, tenant, model and adapter. */
export type UsageRow = z.output<typeof usageRowSchema>;

/** A page of a report as JSON. */
export const usageReportSchema = z.strictObject({
  by: z.enum(['hour', 'day']),
  currency: z.string().nullable(),
  rows: z.array(usageRowSchema),
  cursor: z.string().nullable().describe('the parameter cursor of the next page; null on the last one'),
});

/** A page of a report. */
export type UsageReport = z.output<typeof usageReportSchema>;

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

/** The names of a row's fields, in the order of CSV. */
export const usageColumns = ['tenant', 'from', 'model', 'modelName', 'adapter', ...amountNames, 'cost', 'currency'] as const;

/** The rows as CSV (RFC 4180), with a line of names. */
export function usageCsv({ rows, currency }: Pick<UsageReport, 'rows' | 'currency'>): string {
  const lines = rows.map((row) => usageColumns.map((column) => field(column === 'currency' ? currency : row[column])).join(','));
  return [usageColumns.join(','), ...lines, ''].join('\r\n');
}

/** A field; a text that a spreadsheet would take as a formula gets an apostrophe before it. */
function field(value: string | number | null): string {
  if (typeof value === 'number') return String(value);
  const text = value ?? '';
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
