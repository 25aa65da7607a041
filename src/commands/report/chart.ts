/** Curves as an SVG picture for a page of `page.ts`. */
import { escapeHtml } from './page.js';

export interface Series {
  readonly name: string;
  /** x and y, x ascending. */
  readonly points: readonly (readonly [number, number])[];
  /** A dot at each point, for curves of few points. */
  readonly dots?: boolean;
}

export interface ChartOptions {
  /** A text alternative for screen readers. */
  readonly label: string;
  /** Upper end of the y axis; default: a little above the largest value. The lower end is 0. */
  readonly top?: number;
  /** How a y value is written. */
  readonly format?: (y: number) => string;
}

const WIDTH = 760;
const HEIGHT = 260;
const MARGIN = { left: 52, right: 16, top: 14, bottom: 34 } as const;
/** Number of colours; further series start again with the first. */
const COLOURS = 6;

/** Draws at most a handful of curves with a legend below. */
export function renderChart(series: readonly Series[], { label, format = (y) => y.toFixed(2), ...options }: ChartOptions): string {
  const points = series.flatMap((curve) => curve.points).filter(([, y]) => Number.isFinite(y));
  const xs = points.map(([x]) => x);
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  if (!(last > first)) return '<p>Too few points for a curve.</p>';
  const top = options.top ?? (Math.max(...points.map(([, y]) => y)) * 1.05 || 1);
  const x = (value: number): number => MARGIN.left + ((value - first) / (last - first)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number): number => MARGIN.top + (1 - value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const lines = Array.from({ length: 5 }, (_, index) => (top * index) / 4).map(
    (tick) =>
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
      `<text x="${MARGIN.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${format(tick)}</text>`,
  );
  const steps = [...new Set(Array.from({ length: 6 }, (_, index) => Math.round(first + ((last - first) * index) / 5)))].map(
    (step) => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${step}</text>`,
  );
  const curves = series.map((curve, at) => {
    const drawn = curve.points
      .filter(([, value]) => Number.isFinite(value))
      .map(([px, py]) => [x(px).toFixed(1), y(py).toFixed(1)] as const);
    const path = drawn.map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${px} ${py}`).join('');
    const dots = curve.dots ? drawn.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3"/>`).join('') : '';
    return `<g class="s${at % COLOURS}"><path class="series" d="${path}"/>${dots}</g>`;
  });
  const legend = series.map(({ name }, at) => `<span class="s${at % COLOURS}"></span> ${escapeHtml(name)}`);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(label)}">
${lines.join('')}
${steps.join('')}
${curves.join('\n')}
</svg>
<p class="legend">${legend.join(' ')}</p>`;
}
