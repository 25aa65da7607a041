/** Lives of tokens as people write them. */
import { CutlayerError } from '../../errors.js';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90s`, `15m`, `24h` or `30d`. @throws CutlayerError INVALID_ARGUMENT */
export function parseTtl(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (match === null) throw new CutlayerError('INVALID_ARGUMENT', `ttl: expected a time such as 90s, 15m, 24h or 30d, got ${text}`);
  return Number(match[1]) * unitSeconds[match[2]!]!;
}
