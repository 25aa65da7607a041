/** The suite of attackers: which there are, and what a run of them gives. */
import { CutlayerError } from '../../../src/errors.js';
import type { Attacker, AttackerId, AttackRun, VendorView } from './attacker.js';
import { cotangentClusters } from './attackers/cotangent-clusters.js';
import { knownHead } from './attackers/known-head.js';
import { learnedInverter } from './attackers/learned-inverter.js';
import { lengths } from './attackers/lengths.js';
import { nearestRow } from './attackers/nearest-row.js';
import { prefixSearch } from './attackers/prefix-search.js';
import { promptTokens } from './attackers/prompt-tokens.js';
import { vendorHead } from './attackers/vendor-head.js';
import type { Measure } from './metrics.js';
import type { Truth } from './truth.js';

/** Changes with every change of an attacker, a metric or a planted record. */
export const SUITE = 1;

/** All attackers, in the order in which they run. */
export const attackers: readonly Attacker[] = [
  nearestRow,
  prefixSearch,
  learnedInverter,
  knownHead,
  cotangentClusters,
  lengths,
  promptTokens,
  vendorHead,
];

/** An attacker's result. */
export interface AttackResult extends Pick<Attacker, 'id' | 'title' | 'knows' | 'says'> {
  /** Why it could not run; null: it did. */
  readonly skipped: string | null;
  readonly measures: readonly Measure[];
}

/** How the suite is run. */
export interface SuiteOptions {
  readonly view: VendorView;
  readonly truth: Truth;
  /** Undefined: all. */
  readonly only?: readonly AttackerId[] | undefined;
  readonly signal?: AbortSignal | undefined;
  kept<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  onProgress(attacker: Attacker, done: number, total: number): void;
}

/** Runs attackers one after the other. @throws CutlayerError CANCELLED, of the bundle's graphs */
export async function runSuite(options: SuiteOptions): Promise<readonly AttackResult[]> {
  const { view, truth, only, signal, kept, onProgress } = options;
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
    const measures =
      skipped === null ? await kept(id, async () => one.score(await one.attack(view, run), truth)).catch(cancelled(signal)) : [];
    // A figure of nothing is none.
    results.push({ id, title, knows, says, skipped, measures: measures.filter(({ count }) => count > 0) });
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
