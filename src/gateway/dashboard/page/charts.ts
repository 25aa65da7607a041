/** The panel of throughput over time: charts by uPlot, and the same numbers as text. */
import type { LoadAnswer, SeriesName, SpanName } from '../../admin/load-answer.js';
import { element, replace, some, table } from './elements.js';
import { bytes, clock, count, decimal } from './format.js';
import uPlot from './uplot.js';

interface Line {
  readonly series: SeriesName;
  readonly title: string;
}

interface Chart {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly shown: (value: number) => string;
  /** Steps between the marks of the axis. Default: those of decimals. */
  readonly steps?: readonly number[];
}

const binarySteps = Array.from({ length: 50 }, (_, power) => 2 ** power);
const wholeSteps = Array.from({ length: 7 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

const charts: readonly Chart[] = [
  {
    title: 'Rows per second',
    lines: [
      { series: 'forward', title: 'forward' },
      { series: 'backward', title: 'backward' },
      { series: 'decoded', title: 'decoded' },
    ],
    shown: (value) => `${decimal(value)} rows/s`,
  },
  {
    title: 'Calls per second',
    lines: [
      { series: 'answered', title: 'answered' },
      { series: 'refused', title: 'refused or failed' },
    ],
    shown: (value) => `${decimal(value)} calls/s`,
  },
  {
    title: 'Traffic',
    lines: [
      { series: 'bytesIn', title: 'in' },
      { series: 'bytesOut', title: 'out' },
    ],
    shown: (value) => `${bytes(value)}/s`,
    steps: binarySteps,
  },
  {
    title: 'Memory of calls, runs and steps',
    lines: [{ series: 'memoryBytes', title: 'held' }],
    shown: bytes,
    steps: binarySteps,
  },
  {
    title: 'Waiting and in flight',
    lines: [
      { series: 'inFlight', title: 'in flight' },
      { series: 'queued', title: 'waiting jobs' },
      { series: 'decodeSessions', title: 'decode sessions' },
    ],
    shown: count,
    steps: wholeSteps,
  },
];

const HEIGHT = 160;
/** Points of the table. */
const NEWEST = 12;
/** What the widest mark of an axis takes, in pixels. */
const AXIS_SIZE = 74;

/** Colours of lines, of the page's own theme. */
const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

type History = LoadAnswer['history'];
type Columns = Record<SeriesName, number[]>;

/** The charts. */
export class Charts {
  #span: SpanName = 'hour';
  #times: number[] = [];
  #columns: Partial<Columns> = {};
  readonly #plots: { readonly chart: Chart; readonly place: HTMLElement; readonly legend: HTMLElement; plot: uPlot | undefined }[] = [];

  constructor() {
    for (const chart of charts) {
      const legend = element('figcaption', {});
      const place = element('div', { class: 'plot', 'aria-hidden': 'true' });
      some('charts').append(element('figure', {}, legend, place));
      this.#plots.push({ chart, place, legend, plot: undefined });
    }
    const again = (): void => this.#drawAnew();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
    new ResizeObserver(() => this.#resize()).observe(some('charts'));
  }

  /** The span that is shown. */
  get span(): SpanName {
    return this.#span;
  }

  /** The time of the newest point that is here; 0 without any. */
  get newest(): number {
    return this.#times.at(-1) ?? 0;
  }

  /** Shows another span, from its first point. */
  choose(span: SpanName): void {
    [this.#span, this.#times, this.#columns] = [span, [], {}];
  }

  /** Takes new points. Points that the gateway has let go are let go here too. */
  take({ span, from, times, series }: History): void {
    if (span !== this.#span) return;
    // A gateway that was restarted has another history.
    if (from === null || (this.#times[0] !== undefined && from > this.newest)) [this.#times, this.#columns] = [[], {}];
    const past = this.#times.findIndex((time) => time >= (from ?? 0));
    const drop = past < 0 ? this.#times.length : past;
    this.#times = [...this.#times.slice(drop), ...times];
    for (const [name, values] of Object.entries(series) as [SeriesName, number[]][])
      this.#columns[name] = [...(this.#columns[name] ?? []).slice(drop), ...values];
    this.#draw();
  }

  #draw(): void {
    const seconds = this.#times.map((time) => time / 1000);
    for (const entry of this.#plots) {
      const { chart, place, legend } = entry;
      const data: uPlot.AlignedData = [seconds, ...chart.lines.map(({ series }) => this.#columns[series] ?? [])];
      if (seconds.length < 2) {
        entry.plot?.destroy();
        entry.plot = undefined;
        replace(place, element('p', { class: 'note' }, 'No points yet: the first two take a moment.'));
      } else if (entry.plot === undefined) {
        place.replaceChildren();
        entry.plot = new uPlot(optionsOf(chart, place.clientWidth), data, place);
      } else entry.plot.setData(data);
      replace(legend, ...this.#legend(chart));
    }
    this.#table();
  }

  #legend({ title, lines, shown }: Chart): readonly Node[] {
    const newest = ({ series }: Line): string => {
      const value = this.#columns[series]?.at(-1);
      return value === undefined ? 'none' : shown(value);
    };
    return [
      element('h3', {}, title),
      element(
        'ul',
        { class: 'legend' },
        ...lines.map((line, index) =>
          element(
            'li',
            {},
            element('span', { class: `key s${index}`, 'aria-hidden': 'true' }),
            ` ${line.title} `,
            element('b', {}, newest(line)),
          ),
        ),
      ),
    ];
  }

  #table(): void {
    const lines = charts.flatMap(({ lines: own, shown }) => own.map((line) => ({ ...line, shown })));
    const rows = this.#times
      .map((time, index) => ({
        key: String(time),
        cells: [clock(time), ...lines.map(({ series, shown }) => shown(this.#columns[series]?.[index] ?? 0))],
      }))
      .slice(-NEWEST)
      .reverse();
    const columns = [{ title: 'Time (UTC)' }, ...lines.map(({ title }) => ({ title, number: true }))];
    replace(some('points'), rows.length === 0 ? element('p', { class: 'note' }, 'No points yet.') : table('Newest points', columns, rows));
  }

  #resize(): void {
    for (const { plot, place } of this.#plots) {
      const width = place.clientWidth;
      if (plot !== undefined && width > 0 && plot.width !== width) plot.setSize({ width, height: HEIGHT });
    }
  }

  #drawAnew(): void {
    for (const entry of this.#plots) {
      entry.plot?.destroy();
      entry.plot = undefined;
    }
    this.#draw();
  }
}

function optionsOf({ lines, shown, steps }: Chart, width: number): uPlot.Options {
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(most * 1.1, 1)] } },
    axes: [
      { ...axis, size: 30, values: (_plot, marks) => timeMarks(marks), space: 70 },
      { ...axis, size: AXIS_SIZE, values: (_plot, marks) => marks.map(shown), space: 34, ...(steps && { incrs: [...steps] }) },
    ],
    series: [
      {},
      ...lines.map(({ title }, index) => ({
        label: title,
        stroke: colour(`--s${index}`),
        width: 2,
        points: { show: false },
      })),
    ],
  };
}

/** Times of day, with seconds where minutes would repeat. @param marks seconds since 1970 */
function timeMarks(marks: readonly number[]): string[] {
  const fine = marks.some((mark) => mark % 60 !== 0);
  return marks.map((mark) => clock(mark * 1000).slice(0, fine ? 8 : 5));
}
