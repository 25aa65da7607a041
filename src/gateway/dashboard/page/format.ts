/** Numbers and times as the page shows them: with their units, and a few digits. */

const number = (digits: number): Intl.NumberFormat => new Intl.NumberFormat('en-US', { maximumFractionDigits: digits });
const [whole, tenths, hundredths] = [number(0), number(1), number(2)];
const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const NONE = '–';

/** A count: `1,234`; from a million on `12.3 M`, from 10^9 on `4.56 G`. */
export function count(value: number): string {
  if (value >= 1e9) return `${hundredths.format(value / 1e9)} G`;
  if (value >= 1e6) return `${tenths.format(value / 1e6)} M`;
  return whole.format(value);
}

/** A rate or a mean: three digits. */
export function decimal(value: number): string {
  if (value >= 1e6) return count(value);
  return (value >= 100 ? whole : value >= 10 ? tenths : hundredths).format(value);
}

/** Bytes: `1.5 GiB`. */
export function bytes(value: number): string {
  let [left, at] = [value, 0];
  while (left >= 1024 && at < binary.length - 1) [left, at] = [left / 1024, at + 1];
  return `${(at === 0 || left >= 100 ? whole : left >= 10 ? tenths : hundredths).format(left)} ${binary[at]}`;
}

/** A share of a whole, between 0 and 1. */
export function shareOf(used: number, most: number): number {
  return most > 0 ? Math.min(1, Math.max(0, used / most)) : 0;
}

/** `42 %`; a little is not nothing, and almost all is not all. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 1) return 'under 1 %';
  return `${whole.format(value > 99 && value < 100 ? 99 : value)} %`;
}

/** Time that is left: `54 min`, `40 s`. */
export function left(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** `2027-03-01 12:00:05 UTC`. */
export function time(ms: number): string {
  return Number.isFinite(ms) ? `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC` : NONE;
}

/** `12:00:05`, UTC. */
export const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** A value that may be none. */
export function orNone(value: number | null, shown: (value: number) => string): string {
  return value === null ? NONE : shown(value);
}

/** `maxBatch` as words: `max batch`. */
export function words(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('-', ' ')
    .toLowerCase();
}
