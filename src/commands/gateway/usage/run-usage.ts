/** The work of `cutlayer gateway usage`. */
import { join } from 'node:path';
import { CutlayerError } from '../../../errors.js';
import { stdout } from '../../../files/output.js';
import { readPrices } from '../../../gateway/ledger/price-file.js';
import { type UsageReport, usageCsv, usageReport, usageReportSchema } from '../../../gateway/ledger/usage-report.js';
import { parseUsageRequest } from '../../../gateway/ledger/usage-request.js';
import { openGatewayDatabase } from '../../../gateway/tables/database.js';
import { openAdminConnection } from '../admin-connection.js';
import type { UsageFlags } from './usage-options.js';
import { usageTable } from './usage-table.js';

const ROWS_OF_A_PAGE = 10_000;
/** Rows are held until all are there. */
const MOST_ROWS = 200_000;

/** A page of the report. */
type ReadPage = (query: Readonly<Record<string, string>>) => Promise<UsageReport>;

/** @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED, of the gateway or of the store */
export async function runUsage(flags: UsageFlags): Promise<void> {
  const { tenant, model, adapter, by, from, to } = flags;
  const given = Object.entries({ tenant, model, adapter, by, from, to }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const report = await withPages(flags, (page) => wholeReport(page, Object.fromEntries(given)));
  if (flags.format === 'json') stdout.json({ by, currency: report.currency, rows: report.rows });
  else stdout.text(flags.format === 'csv' ? usageCsv(report) : usageTable(report, by));
}

async function wholeReport(page: ReadPage, query: Readonly<Record<string, string>>): Promise<Omit<UsageReport, 'cursor'>> {
  const rows: UsageReport['rows'] = [];
  for (let cursor: string | null = null; ; ) {
    const read: UsageReport = await page({ ...query, limit: String(ROWS_OF_A_PAGE), ...(cursor !== null && { cursor }) });
    rows.push(...read.rows);
    if (read.cursor === null) return { ...read, rows };
    if (rows.length >= MOST_ROWS)
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `usage: more than ${MOST_ROWS} rows; ask for less, by --by day, --from and --to, or --tenant`,
      );
    cursor = read.cursor;
  }
}

/** Of the gateway that runs, or of its database. */
async function withPages<Result>(
  { stateDir, tokenFile, database: target, prices }: UsageFlags,
  run: (page: ReadPage) => Promise<Result>,
): Promise<Result> {
  const connection = await openAdminConnection({ stateDir, tokenFile });
  if (connection !== undefined)
    return run(async (query) => usageReportSchema.parse(await connection.request('GET', `/v1/usage?${new URLSearchParams(query)}`)));
  const book = prices === undefined ? undefined : await readPrices(prices);
  const database = await openGatewayDatabase(target ?? join(stateDir, 'gateway.db'));
  try {
    return await run((query) => usageReport(database, book, parseUsageRequest(query, Date.now())));
  } finally {
    await database.close();
  }
}
