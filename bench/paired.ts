/** Timing in pairs, A B A B …, so that a drift of the machine's speed affects both sides. */

/** A measured piece of work. */
export type Work = () => Promise<unknown>;

/** Medians in milliseconds, and the median over the rounds of a/b. */
export interface Paired {
  readonly aMs: number;
  readonly bMs: number;
  readonly ratio: number;
}

/** Warm-up runs: the allocator takes no more pages from the kernel after three or four. */
const WARM_UP_ROUNDS = 4;

/** Runs both a few times to warm up, then `rounds` times in turn. */
export async function paired(a: Work, b: Work, rounds: number): Promise<Paired> {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    await a();
    await b();
  }
  const times: [number, number][] = [];
  for (let round = 0; round < rounds; round++) times.push([await elapsedMs(a), await elapsedMs(b)]);
  return { aMs: median(times.map(([x]) => x)), bMs: median(times.map(([, y]) => y)), ratio: median(times.map(([x, y]) => x / y)) };
}

/** Wall-clock milliseconds of one run. */
export async function elapsedMs(work: Work): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The median; the mean of the middle two for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which this share of the values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
