/** Parses what is asked of `GET /v1/usage`. */
import { CutlayerError } from '../../errors.js';
import { HOUR_MS, type UsageQuery } from '../tables/usage.js';

/** A checked request. */
export interface UsageRequest extends UsageQuery {
  readonly by: 'hour' | 'day';
  readonly from: number;
  readonly periodMs: number;
  readonly offset: number;
}

const DAY_MS = 24 * HOUR_MS;
const DEFAULT_DAYS = 31;
const DEFAULT_LIMIT = 1000;
const MOST_SUMS = 10_000;
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/;

/** The parameters, and what each is. */
export const usageParameters = {
  from: 'periods that begin at this time or later, as 2027-03-01 or 2027-03-01T12:00Z; default: 31 days ago',
  to: 'periods that begin before this time; default: all',
  by: 'hour (default) or day (UTC)',
  tenant: 'only this one; another than its own only with the scope admin',
  model: 'only this one: the digest of its backbone',
  adapter: 'only this one: none, softPrompt or prefix',
  limit: 'rows of a page, 1 to 10,000; default: 1,000',
  cursor: 'the cursor of the page before',
  format: 'json or csv; default: as the header Accept says',
} as const;

/**
 * @param query by name, as a URL or a command line gives it
 * @param now milliseconds since 1970
 * @throws CutlayerError INVALID_ARGUMENT naming the parameter
 */
export function parseUsageRequest(query: Readonly<Record<string, unknown>>, now: number): UsageRequest {
  const unknown = Object.keys(query).find((name) => !Object.hasOwn(usageParameters, name));
  if (unknown !== undefined) throw wrong(unknown.slice(0, 40), `expected one of ${Object.keys(usageParameters).join(', ')}`);
  const by = textOf(query, 'by') ?? 'hour';
  if (by !== 'hour' && by !== 'day') throw wrong('by', 'expected hour or day');
  const to = timeOf(query, 'to') ?? now + HOUR_MS;
  const from = timeOf(query, 'from') ?? now - DEFAULT_DAYS * DAY_MS;
  const periodMs = by === 'day' ? DAY_MS : HOUR_MS;
  return {
    by,
    periodMs,
    // Whole periods: one that has begun is given as a whole.
    from: Math.max(0, from - (from % periodMs)),
    to,
    tenant: textOf(query, 'tenant'),
    model: textOf(query, 'model'),
    adapter: textOf(query, 'adapter'),
    limit: wholeOf(query, 'limit', MOST_SUMS) ?? DEFAULT_LIMIT,
    offset: wholeOf(query, 'cursor', Number.MAX_SAFE_INTEGER) ?? 0,
  };
}

function textOf(query: Readonly<Record<string, unknown>>, name: keyof typeof usageParameters): string | undefined {
  const value = query[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value.length === 0 || value.length > 100) throw wrong(name, 'expected one text of 1 to 100 characters');
  return value;
}

function timeOf(query: Readonly<Record<string, unknown>>, name: 'from' | 'to'): number | undefined {
  const text = textOf(query, name);
  const time = text === undefined ? undefined : TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (time !== undefined && !Number.isFinite(time)) throw wrong(name, 'expected a time such as 2027-03-01 or 2027-03-01T12:00Z');
  return time;
}

function wholeOf(query: Readonly<Record<string, unknown>>, name: 'limit' | 'cursor', most: number): number | undefined {
  const text = textOf(query, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= most)) throw wrong(name, `expected a whole number from 1 to ${most}`);
  return value;
}

const wrong = (field: string, message: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `${field}: ${message}`, { details: { field } });
