/**
 * Sweeps have two depths: `npm test` runs a sample of each, `npm run test:exhaustive` all of it. A
 * test file that imports this module is part of the exhaustive run.
 */

/** Whether this run goes to the full depth. */
export const exhaustive = process.env.CUTLAYER_EXHAUSTIVE === '1';

/** The full depth in the exhaustive run, the sample in the other. */
export function depth<T>(full: T, sample: T): T {
  return exhaustive ? full : sample;
}

/**
 * All of a sweep in the exhaustive run; in the other every `stride`-th of it, the last one
 * included.
 */
export function every<T>(stride: number, all: readonly T[]): readonly T[] {
  return exhaustive ? all : all.filter((_, at) => at % stride === 0 || at === all.length - 1);
}

/**
 * A test of the exhaustive run alone. `npm test` has a cheaper one of the same kind, or a part of
 * it, beside it.
 */
export function thorough(title: string, body: (this: Mocha.Context) => Promise<void> | void): void {
  if (exhaustive) it(title, body);
}

/** A suite of the exhaustive run alone, as {@link thorough}. */
export function thoroughSuite(title: string, body: (this: Mocha.Suite) => void): void {
  if (exhaustive) describe(title, body);
}
