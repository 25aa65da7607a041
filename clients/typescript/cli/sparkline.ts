/** A curve in one line of text. */

const BLOCKS = '▁▂▃▄▅▆▇█';
const ASCII = '_.-:=+*#';

/**
 * Draws finite values as a line of at most `width` characters, each a mean of its share of them.
 * Other values are left out.
 */
export function sparkline(values: readonly number[], options: { readonly width: number; readonly unicode: boolean }): string {
  const finite = values.filter(Number.isFinite);
  const points = downsample(finite, options.width);
  const low = Math.min(...points);
  const span = Math.max(...points) - low;
  const ramp = options.unicode ? BLOCKS : ASCII;
  return points.map((value) => ramp[span === 0 ? 0 : Math.min(ramp.length - 1, Math.floor(((value - low) / span) * ramp.length))]).join('');
}

/** Means of `count` equal parts. */
function downsample(values: readonly number[], count: number): readonly number[] {
  if (values.length <= count) return values;
  return Array.from({ length: count }, (_, part) => {
    const slice = values.slice(Math.floor((part * values.length) / count), Math.floor(((part + 1) * values.length) / count));
    return slice.reduce((sum, value) => sum + value, 0) / slice.length;
  });
}

/** Whether the terminal shows more than ASCII, by the locale that POSIX would use. */
export function terminalShowsUnicode(env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  if (env.WT_SESSION !== undefined) return true;
  return /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || '');
}
