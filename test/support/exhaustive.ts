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
