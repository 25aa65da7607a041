/**
 * What a gateway has done in the last hour and the last day, in memory: a fixed number of points.
 * A pure state with the time as a parameter. A restart begins a new history.
 */
import { type SeriesName, type SpanName, seriesNames } from './load-answer.js';

/** The step and the number of points of each span. */
export const spans = {
  hour: { stepMs: 5000, points: 720 },
  day: { stepMs: 300_000, points: 288 },
} as const satisfies Readonly<Record<SpanName, { readonly stepMs: number; readonly points: number }>>;

/** Series whose points are rates of a count; the others are amounts of a moment. */
export const countedNames = ['forward', 'backward', 'decoded', 'answered', 'refused', 'bytesIn', 'bytesOut'] as const;

/** One of {@link countedNames}. */
export type CountedName = (typeof countedNames)[number];

/** Counts since the start. */
export type Counts = Readonly<Record<CountedName, number>>;

/** Amounts of a moment. */
export type Amounts = Readonly<Record<Exclude<SeriesName, CountedName>, number>>;

/** Columns of points: all of one length. */
export interface Columns {
  readonly times: readonly number[];
  readonly series: Readonly<Record<SeriesName, readonly number[]>>;
}

interface Point {
  readonly time: number;
  readonly values: Readonly<Record<SeriesName, number>>;
}

/** One span's points. */
class Span {
  readonly points: Point[] = [];
  #from: { readonly time: number; readonly counts: Counts };

  constructor(
    readonly stepMs: number,
    readonly most: number,
    time: number,
    counts: Counts,
  ) {
    this.#from = { time, counts };
  }

  take(time: number, counts: Counts, amounts: Amounts): void {
    const passedMs = time - this.#from.time;
    // A clock that was set back begins a new step.
    if (passedMs < 0) this.#from = { time, counts };
    if (passedMs < this.stepMs) return;
    const rates = Object.fromEntries(countedNames.map((name) => [name, (1000 * (counts[name] - this.#from.counts[name])) / passedMs]));
    this.points.push({ time, values: { ...amounts, ...(rates as Record<CountedName, number>) } }); // one of each name
    if (this.points.length > this.most) this.points.shift();
    this.#from = { time, counts };
  }
}

/** The spans. */
export class LoadHistory {
  readonly #spans: Readonly<Record<SpanName, Span>>;

  /** @param now milliseconds since 1970 @param counts those that the first points begin from */
  constructor(now: number, counts: Counts) {
    const span = ({ stepMs, points }: (typeof spans)[SpanName]): Span => new Span(stepMs, points, now, counts);
    this.#spans = { hour: span(spans.hour), day: span(spans.day) };
  }

  /** Takes the state of a moment; it makes a point in each span whose step has passed. */
  take(now: number, counts: Counts, amounts: Amounts): void {
    for (const span of Object.values(this.#spans)) span.take(now, counts, amounts);
  }

  /** The time of a span's oldest point; null before the first. */
  from(span: SpanName): number | null {
    return this.#spans[span].points[0]?.time ?? null;
  }

  /** The points after a time. */
  after(span: SpanName, time: number): Columns {
    const points = this.#spans[span].points.filter((point) => point.time > time);
    const column = (name: SeriesName): readonly number[] => points.map(({ values }) => values[name]);
    return {
      times: points.map((point) => point.time),
      series: Object.fromEntries(seriesNames.map((name) => [name, column(name)])) as Record<SeriesName, readonly number[]>, // one of each name
    };
  }
}
