/** The suite of attackers: which there are, and what a run of them gives. */
import { CutlayerError } from '../../../src/errors.js';
import type { Attacker, AttackerId, AttackRun, VendorView } from './attacker.js';
import { aggregates } from './attackers/aggregates.js';
import { cotangentClusters } from './attackers/cotangent-clusters.js';
import { jointSearch } from './attackers/joint-search.js';
import { knownHead } from './attackers/known-head.js';
import { learnedInverter } from './attackers/learned-inverter.js';
import { lengths } from './attackers/lengths.js';
import { membership } from './attackers/membership.js';
import { nearestRow } from './attackers/nearest-row.js';
import { prefixSearch } from './attackers/prefix-search.js';
import { promptTokens } from './attackers/prompt-tokens.js';
import { vendorHead } from './attackers/vendor-head.js';
import { type Measure, tokenMeasures } from './metrics.js';
import type { Truth } from './truth.js';

/** Changes with every change of an attacker, a metric or a planted record. */
export const SUITE = 6;

/** All attackers, in the order in which they run. */
export const attackers: readonly Attacker[] = [
  nearestRow,
  prefixSearch,
  learnedInverter,
  knownHead,
  cotangentClusters,
  jointSearch,
  lengths,
  membership,
  promptTokens,
  aggregates,
  vendorHead,
];

/** An attacker's result. */
export interface AttackResult extends Pick<Attacker, 'id' | 'title' | 'knows' | 'says'> {
  /** Why it could not run; null: it did. */
  readonly skipped: string | null;
  readonly measures: readonly Measure[];
  /** Tokens that it took for those of the shown records, where they are what it infers. */
  readonly shown?: readonly (readonly number[])[];
}

/** How the suite is run. */
export interface SuiteOptions {
  readonly view: VendorView;
  readonly truth: Truth;
  /** Undefined: all. */
  readonly only?: readonly AttackerId[] | undefined;
  /** Records whose guessed tokens are wanted. */
  readonly shown?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  kept<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  onProgress(attacker: Attacker, done: number, total: number): void;
}

/** Runs attackers one after the other. @throws CutlayerError CANCELLED, of the bundle's graphs */
export async function runSuite(options: SuiteOptions): Promise<readonly AttackResult[]> {
  const { view, truth, only, shown, signal, kept, onProgress } = options;
  const results: AttackResult[] = [];
  for (const one of attackers) {
    const { id, title, knows, says } = one;
    if (only !== undefined && !only.includes(id)) continue;
    const skipped = await kept(`${id} skipped`, async () => (await one.skipped(view)) ?? null).catch(cancelled(signal));
    const run: AttackRun = {
      signal,
      progress: (done, total) => onProgress(one, done, total),
      kept: (name, work) => kept(`${id} ${name}`, work),
    };
    const guessed = (guess: unknown) => shown?.map((at) => (guess as readonly (readonly number[])[])[at] ?? []);
    const attacked = async (): Promise<readonly Measure[]> => {
      const guess = await one.attack(view, run);
      // What these measures judge is tokens.
      if (one.score === tokenMeasures) await kept(`${id} shown`, async () => guessed(guess) ?? []);
      return one.score(guess, truth);
    };
    const measures = skipped === null ? await kept(id, attacked).catch(cancelled(signal)) : [];
    const tokens = shown === undefined || skipped !== null ? [] : await kept(`${id} shown`, async () => []);
    results.push({
      ...{ id, title, knows, says, skipped },
      // A figure of nothing is none.
      measures: measures.filter(({ count }) => count > 0),
      ...(tokens.length === 0 ? {} : { shown: tokens }),
    });
  }
  return results;
}

/** An aborted signal is the user's ctrl-C. */
function cancelled(signal: AbortSignal | undefined): (caught: unknown) => never {
  return (caught) => {
    if (signal?.aborted) throw new CutlayerError('CANCELLED', 'audit: stopped; the same command goes on where it was', { cause: caught });
    throw caught;
  };
}
