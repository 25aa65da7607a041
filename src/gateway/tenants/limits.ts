/**
 * Limits of one tenant, as pure data. A limit that is absent does not bound the tenant; the bounds
 * of the whole gateway hold beside it.
 */
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { type ValueChange, valuesAfter } from './value-change.js';

/** What a rate counts: calls and messages of streams, or rows that go through the backbone. */
export type Counted = 'requests' | 'tokens';

/** A count for each span of time. */
export interface RateRow {
  readonly kind: 'rate';
  readonly counts: Counted;
  readonly windowMs: number;
  readonly text: string;
}

/** An amount that a tenant may have at once. */
export interface CapRow {
  readonly kind: 'cap';
  readonly text: string;
}

const rate = (counts: Counted, windowMs: number, text: string) => ({ kind: 'rate', counts, windowMs, text }) as const satisfies RateRow;
const cap = (text: string) => ({ kind: 'cap', text }) as const satisfies CapRow;

/** Every limit. */
export const limitTable = {
  requestsPerSecond: rate('requests', 1000, 'calls, and messages of decode streams, in a second'),
  tokensPerMinute: rate('tokens', 60_000, 'rows through the backbone in a minute: forward, backward and decoded'),
  tokensPerDay: rate('tokens', 86_400_000, 'the same in a day (UTC)'),
  concurrentSteps: cap('calls at once, waiting ones included'),
  inFlightBytes: cap('bytes of messages and decoded inputs of calls'),
  residualBytes: cap('bytes of steps that are kept between forward and backward'),
  keyValueBytes: cap('bytes of keys and values of decode sessions and kept rows'),
  decodeSessions: cap('decode sessions'),
} as const satisfies Readonly<Record<string, RateRow | CapRow>>;

/** A key of {@link limitTable}. */
export type LimitName = keyof typeof limitTable;

/** The names, in their order. */
export const limitNames = Object.keys(limitTable) as readonly LimitName[];

/** The limits that bound a tenant. */
export type TenantLimits = { readonly [L in LimitName]?: number };

/** Tells the limits of a tenant, as they are now. */
export interface LimitSource {
  of(tenant: string): TenantLimits;
}

/** Bounds no tenant. */
export const noLimits: LimitSource = { of: () => ({}) };

const amount = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

/** Limits as JSON. */
export const limitsSchema = z.strictObject(
  Object.fromEntries(limitNames.map((name) => [name, amount.optional().describe(limitTable[name].text)])) as Record<
    LimitName,
    z.ZodOptional<typeof amount>
  >,
);

/** Limits from the store. @throws CutlayerError STORE_CORRUPT */
export function storedLimits(value: unknown, tenant: string): TenantLimits {
  const { success, data } = limitsSchema.safeParse(value);
  // Without the undefined values that zod's type allows.
  if (success) return valuesAfter<TenantLimits>(data, {});
  throw new CutlayerError('STORE_CORRUPT', `limits of ${tenant}: expected limits in the store, got something else; restore a backup`);
}

/** A change of limits: a number sets one, null takes it away. @see RFC 7396 */
export type LimitChange = ValueChange<TenantLimits>;

/** The limits after a change. */
export function changedLimits(limits: TenantLimits, change: LimitChange): TenantLimits {
  return valuesAfter<TenantLimits>(limits, change);
}

/** A tenant's own limits before the defaults of the gateway. */
export function effectiveLimits(own: TenantLimits, defaults: TenantLimits): TenantLimits {
  return { ...defaults, ...own };
}
