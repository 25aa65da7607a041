/** Sizes as text: the one unit that terminals, reports and pages use. */

/** For example 640 B, 4.1 kB, 5.7 MB, 1.2 GB; 1 kB is 1,000 bytes. */
export function byteText(bytes: number): string {
  if (bytes < 1e3) return `${Math.round(bytes)} B`;
  const [divisor, unit] = bytes < 1e6 ? [1e3, 'kB'] : bytes < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${(bytes / divisor).toFixed(1)} ${unit}`;
}
