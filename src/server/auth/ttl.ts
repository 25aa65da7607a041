/** Lifetimes of tokens as text. */
import ms, { type StringValue } from 'ms';
import { CutlayerError } from '../../errors.js';

/** Longest lifetime of a token: a year. Longer ones are neither issued nor accepted. */
export const MAX_TTL_SECONDS = 366 * 24 * 3600;

/**
 * Seconds of `90s`, `15m`, `24h` or `30d` only. @param what the time is, for errors
 * @throws CutlayerError INVALID_ARGUMENT
 */
export function parseTtl(text: string, what = 'ttl'): number {
  if (!/^\d{1,9}[smhd]$/.test(text)) {
    throw new CutlayerError('INVALID_ARGUMENT', `${what}: expected a time such as 90s, 15m, 24h or 30d, got ${text}`);
  }
  // The pattern allows a number with one of ms's units only.
  return ms(text as StringValue) / 1000;
}
