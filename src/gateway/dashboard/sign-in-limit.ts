/** How often sign-ins are tried: of one address, and of all. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { CutlayerError } from '../../errors.js';

/** In a minute. */
export const ATTEMPTS = { ofAddress: 10, ofAll: 60 } as const;

/** Counts an attempt. @throws CutlayerError RATE_LIMITED */
export type TakeAttempt = (address: string) => Promise<void>;

/** The two limits. */
export function signInLimit({ ofAddress, ofAll }: { readonly ofAddress: number; readonly ofAll: number } = ATTEMPTS): TakeAttempt {
  const addresses = new RateLimiterMemory({ points: ofAddress, duration: 60, keyPrefix: 'address' });
  const all = new RateLimiterMemory({ points: ofAll, duration: 60, keyPrefix: 'all' });
  return async (address) => {
    try {
      await addresses.consume(address);
      await all.consume('');
    } catch (caught) {
      if (!(caught instanceof RateLimiterRes)) throw caught;
      const seconds = Math.ceil(caught.msBeforeNext / 1000);
      throw new CutlayerError('RATE_LIMITED', `sign-in: too many attempts; try again in ${seconds} s`, {
        details: { retryAfterMs: caught.msBeforeNext },
      });
    }
  };
}
