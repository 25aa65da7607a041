/** The route of what tenants use: of their limits now, and of the ledger today. */
import { z } from 'zod';
import { costOf } from '../../protocol/metering/prices.js';
import { amountNames } from '../ledger/charge.js';
import type { PriceBook } from '../ledger/price-file.js';
import type { GatewayDatabase } from '../tables/database.js';
import { HOUR_MS, type UsageHour } from '../tables/usage.js';
import { type LimitName, limitNames } from '../tenants/limits.js';
import type { Tenants } from '../tenants/open-tenants.js';
import type { Quota } from '../tenants/rate-window.js';
import { Cached } from './cached.js';
import { type ApiRoute, apiRoute } from './route.js';
import { type TenantUse, useSchema } from './use-answer.js';

/** What the process holds of a tenant, by the limit that bounds it. */
export type HeldBy = (tenant: string) => Readonly<Partial<Record<LimitName, number>>>;

/** What the route is over. */
export interface UseRouteOptions {
  readonly tenants: Pick<Tenants, 'directory' | 'rates'>;
  readonly heldBy: HeldBy;
  readonly database: Pick<GatewayDatabase, 'transaction'>;
  readonly prices: PriceBook | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const DAY_MS = 24 * HOUR_MS;
/** The sums of a day are read at most once in this time. */
const SUMS_MS = 5000;
/** Sums of a day: a tenant has one for each model and adapter. */
const MOST_SUMS = 20_000;
const MOST_LISTED = 200;

type Today = TenantUse['today'];

/** The route. */
export function useRoute({ tenants: { directory, rates }, heldBy, database, prices, now }: UseRouteOptions): ApiRoute {
  const sums = new Cached(SUMS_MS, async () => {
    const from = Math.floor(now() / DAY_MS) * DAY_MS;
    const query = { from, to: from + DAY_MS, periodMs: DAY_MS, limit: MOST_SUMS };
    return byTenant(await database.transaction(({ usage }) => usage.sums(query)), prices);
  });
  const used = (tenant: string, rated: readonly Quota[]): TenantUse['limits'] => {
    const limits = directory.of(tenant);
    const quotas = new Map<LimitName, Quota>(rated.map((quota) => [quota.name, quota]));
    const held = heldBy(tenant);
    return limitNames.map((name) => {
      const quota = quotas.get(name);
      const amount = quota === undefined ? held[name] : quota.max - quota.left;
      return { name, used: amount ?? null, max: limits[name] ?? null, resetMs: quota?.resetMs ?? null };
    });
  };
  return apiRoute({
    ...{ method: 'get', path: '/v1/admin/use', operation: 'listUse', summary: 'Lists tenants with what they use, page by page' },
    ...{ scopes: ['admin'], status: 200, errors: [] },
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(50).describe('tenants of a page'),
      after: z.string().max(64).default('').describe('names after this one'),
      part: z.string().max(64).default('').describe('names that contain this, in any case'),
    }),
    answer: useSchema,
    async run({ query: { limit, after, part } }) {
      const wanted = part.toLowerCase();
      const all = (await directory.store.list()).filter(({ name, status }) => status !== 'deleted' && name.toLowerCase().includes(wanted));
      const rest = all.filter(({ name }) => name > after);
      const page = rest.slice(0, limit);
      const today = await sums.get();
      const quotas = await rates.quotasOf(page.map(({ name }) => name));
      return {
        at: now(),
        currency: prices?.currency ?? null,
        tenants: page.map(({ name, status }) => ({
          ...{ name, status },
          limits: used(name, quotas.get(name) ?? []),
          today: today.get(name) ?? nothing(prices),
        })),
        total: all.length,
        next: rest.length > limit ? page.at(-1)!.name : null,
      };
    },
  });
}

/** The sums of each tenant, over models and adapters. */
function byTenant(sums: readonly UsageHour[], prices: PriceBook | undefined): ReadonlyMap<string, Today> {
  const found = new Map<string, Today>();
  for (const sum of sums) {
    const before = found.get(sum.tenant) ?? nothing(prices);
    const amounts = Object.fromEntries(amountNames.map((name) => [name, before[name] + sum[name]]));
    const cost = prices === undefined ? null : added(before.cost ?? '0', costOf(sum, prices.of(sum.model, sum.modelName)));
    found.set(sum.tenant, { ...before, ...amounts, cost });
  }
  return found;
}

const nothing = (prices: PriceBook | undefined): Today => ({
  ...{ forward: 0, backward: 0, decoded: 0, cached: 0, bytesIn: 0, bytesOut: 0, calls: 0 },
  cost: prices === undefined ? null : '0.000000',
});

/** The sum of two decimals with six places. */
function added(one: string, other: string): string {
  const millionths = (text: string): bigint => BigInt(text.replace('.', '')) * (text.includes('.') ? 1n : 1_000_000n);
  const digits = (millionths(one) + millionths(other)).toString().padStart(7, '0');
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}
