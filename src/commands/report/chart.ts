/** Curves as an SVG picture for a page of `page.ts`. */
import { escapeHtml } from '../../server/html/page.js';

export interface Series {
  readonly name: string;
  /** x and y, x ascending. */
  readonly points: readonly (readonly [number, number])[];
  /** A dot at each point, for curves of few points. */
  readonly dots?: boolean;
  /** Named dots beside the curve. */
  readonly marks?: readonly Mark[];
}

/** A dot with a few characters beside it, and a name that a pointer shows. */
export interface Mark {
  readonly at: readonly [number, number];
  readonly text: string;
  readonly name: string;
}

export interface ChartOptions {
  /** A text alternative for screen readers. */
  readonly label: string;
  /** Upper end of the y axis; default: a little above the largest value. The lower end is 0. */
  readonly top?: number;
  /** How a y value is written. */
  readonly format?: (y: number) => string;
  /** Powers of ten lie equally far apart; values of 0 or less are left out, `top` is not read. */
  readonly logarithmic?: boolean;
  /** Name x values at whole numbers only. */
  readonly whole?: boolean;
}

/** An axis: where a value lies, from 0 to 1, and the values that are named. */
interface Axis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

const WIDTH = 760;
const HEIGHT = 260;
const MARGIN = { left: 52, right: 16, top: 14, bottom: 34 } as const;
/** Number of colours; further series start again with the first. */
const COLOURS = 6;

/** Draws at most a handful of curves with a legend below. */
export function renderChart(series: readonly Series[], { label, format = plainNumber, ...options }: ChartOptions): string {
  const isDrawn = ([, y]: readonly [number, number]): boolean => Number.isFinite(y) && (options.logarithmic !== true || y > 0);
  const points = series.flatMap(({ points, marks = [] }) => [...points, ...marks.map(({ at }) => at)]).filter(isDrawn);
  const xs = points.map(([x]) => x);
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  if (!(last > first)) return '<p>Too few points for a curve.</p>';
  const ys = points.map(([, y]) => y);
  const across = linear(first, last, options.whole === true ? 1 : 0);
  const up =
    options.logarithmic === true
      ? logarithmic(Math.min(...ys), Math.max(...ys))
      : linear(0, options.top ?? (Math.max(...ys) * 1.05 || 1), 0);
  const x = (value: number): number => MARGIN.left + across.place(value) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number => MARGIN.top + (1 - up.place(value)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const lines = up.ticks.map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${MARGIN.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${format(tick)}</text>`,
  );
  const steps = across.ticks.map(
    (step) => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${plainNumber(step)}</text>`,
  );
  const curves = series.map((curve, at) => {
    const drawn = curve.points.filter(isDrawn).map(([px, py]) => [x(px).toFixed(1), y(py).toFixed(1)] as const);
    const path = drawn.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px} ${py}`).join('');
    const dots = curve.dots ? drawn.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3"/>`).join('') : '';
    const marks = (curve.marks ?? [])
      .filter(({ at: place }) => isDrawn(place))
      .map(({ at: [px, py], text, name }) => markAt(x(px), y(py), text, name));
    return `<g class="s${at % COLOURS}"><path class="series" d="${path}"/>${dots}${marks.join('')}</g>`;
  });
  const legend = series.map(({ name }, at) => `<span class="s${at % COLOURS}"></span> ${escapeHtml(name)}`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(label)}">
${lines.join('')}
${steps.join('')}
${curves.join('\n')}
</svg>
<p class="legend">${legend.join(' ')}</p>`;
}

function markAt(x: number, y: number, text: string, name: string): string {
  const title = `<title>${escapeHtml(name)}</title>`;
  return (
    `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4">${title}</circle>` +
    `<text x="${(x + 7).toFixed(1)}" y="${(y + 4).toFixed(1)}">${escapeHtml(text)}</text>`
  );
}

/** Ticks at multiples of 1, 2 or 5 times a power of ten. @param least their distance */
function linear(first: number, last: number, least: number): Axis {
  const rough = (last - first) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const distance = Math.max(least, [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999)! * power);
  const from = Math.ceil(first / distance - 1e-9);
  const many = Math.floor(last / distance + 1e-9) - from + 1;
  return {
    place: (value) => (value - first) / (last - first),
    ticks: Array.from({ length: many }, (_, at) => (from + at) * distance),
  };
}

/** Whole powers of ten around the values, at least one apart. */
function logarithmic(least: number, most: number): Axis {
  const low = Math.floor(Math.log10(least) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(most) - 1e-9));
  const every = Math.ceil((high - low) / 6);
  return {
    place: (value) => (Math.log10(value) - low) / (high - low),
    ticks: Array.from({ length: Math.floor((high - low) / every) + 1 }, (_, at) => 10 ** (low + at * every)),
  };
}

/** Without digits that floating point adds: 0.3, 1200, 1e-5. */
function plainNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}
