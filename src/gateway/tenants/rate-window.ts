/** Windows of rates: they begin at whole seconds, minutes and days (UTC). And what they refuse. */
import { CutlayerError } from '../../errors.js';
import { limitTable } from './limits.js';

/** A limit of {@link limitTable} that is a rate. */
export type RateName = {
  [L in keyof typeof limitTable]: (typeof limitTable)[L]['kind'] extends 'rate' ? L : never;
}[keyof typeof limitTable];

/** A limit and what is left of it. */
export interface Quota {
  readonly name: RateName;
  readonly max: number;
  readonly left: number;
  readonly windowSeconds: number;
  /** Until the window ends. */
  readonly resetMs: number;
}

const spans: Readonly<Record<number, string>> = { 1000: 'a second', 60000: 'a minute', 86400000: 'a day' };

/** The number of a window. @param now milliseconds since 1970 */
export const windowAt = (name: RateName, now: number): number => Math.floor(now / limitTable[name].windowMs);

const untilEnd = (name: RateName, now: number): number => (windowAt(name, now) + 1) * limitTable[name].windowMs - now;

/** What is left of a window of which an amount is used. */
export function quotaOf(name: RateName, { max, used, now }: { readonly max: number; readonly used: number; readonly now: number }): Quota {
  return { name, max, left: Math.max(0, max - used), windowSeconds: limitTable[name].windowMs / 1000, resetMs: untilEnd(name, now) };
}

/** A charge of a tenant, and the limit of its window. */
export interface WindowCharge {
  readonly tenant: string;
  readonly amount: number;
  readonly max: number;
  readonly now: number;
}

/** Refuses what no window has room for. @throws CutlayerError LIMIT_EXCEEDED */
export function requireFits(name: RateName, { tenant, amount, max }: WindowCharge): void {
  if (amount <= max) return;
  const { counts, windowMs } = limitTable[name];
  throw new CutlayerError(
    'LIMIT_EXCEEDED',
    `${counts}: ${tenant} may have ${max} in ${spans[windowMs]}, this call alone has ${amount}; send less at once`,
    { details: { limit: max, limitName: name } },
  );
}

/** The refusal of what does not fit beside what is used, with the time to wait. */
export function rateLimited(name: RateName, charge: WindowCharge & { readonly used: number }): CutlayerError {
  const { tenant, amount, max, used } = charge;
  const { counts, windowMs } = limitTable[name];
  const { left, windowSeconds, resetMs: retryAfterMs } = quotaOf(name, charge);
  return new CutlayerError(
    'RATE_LIMITED',
    `${counts}: ${tenant} has used ${used} of ${max} in ${spans[windowMs]}, ${amount} more do not fit; try again in ${Math.ceil(retryAfterMs / 1000)} s`,
    { details: { limit: max, limitName: name, windowSeconds, left, retryAfterMs } },
  );
}
