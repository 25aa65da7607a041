/**
 * What a bundle says of the values that cross, and which wire dtypes hold them. Only f16 may be too
 * narrow: f32, bf16 and int8 (with a float32 scale for each row) have the range of float32.
 */
import type { WireRange } from './manifest.js';

/** The largest finite f16. */
export const F16_MAX = 65_504;

/** Below this share of {@link F16_MAX} nothing is said. */
const NEAR = 1 / 4;

/** Whether f16 held all measured values; `near` with less than a factor 4 to spare. */
export type F16Fit = 'ok' | 'near' | 'overflows';

export function f16Fit({ cut, output }: WireRange): F16Fit {
  const largest = Math.max(cut, output);
  return largest > F16_MAX ? 'overflows' : largest > NEAR * F16_MAX ? 'near' : 'ok';
}

/** What was measured, for messages; it is no bound. */
export function measuredText({ cut, output, tokens }: WireRange): string {
  const largest = Math.max(cut, output);
  const place = output > cut ? "at the backbone's output" : 'at the cut';
  return `largest value measured: ${shown(largest)} ${place}, on ${tokens} tokens; f16 ends at ${shown(F16_MAX)}`;
}

const shown = (value: number): string => Number(value.toPrecision(5)).toLocaleString('en-US', { maximumSignificantDigits: 5 });
