/** The examples of one run, and those that versions are compared on. */
import { drawRehearsal, rehearsalCount } from '../intake/rehearsal.js';
import type { ArrivedExample } from './stored-example.js';

/** What a run trains on. */
export interface TrainingSet {
  readonly examples: readonly ArrivedExample[];
  readonly fresh: number;
  /** Earlier ones, trained on again against forgetting. */
  readonly rehearsed: number;
}

/**
 * New examples, and a draw of earlier ones; the same in every call.
 * @param seen Ordinals that the version trained from has seen. @param share Of earlier ones.
 */
export function trainingSet(training: readonly ArrivedExample[], seen: number, share: number, seed: number, run: number): TrainingSet {
  const fresh = training.filter(({ ordinal }) => ordinal >= seen);
  const earlier = training.filter(({ ordinal }) => ordinal < seen);
  const ordinals = earlier.map(({ ordinal }) => ordinal);
  const drawn = new Set(drawRehearsal(ordinals, rehearsalCount(fresh.length, earlier.length, share), seed, run));
  const rehearsed = earlier.filter(({ ordinal }) => drawn.has(ordinal));
  return { examples: [...rehearsed, ...fresh], fresh: fresh.length, rehearsed: rehearsed.length };
}

/** Most held-out examples that a comparison measures. */
export const MAX_MEASURED = 2000;

/**
 * At most {@link MAX_MEASURED} of them, the same whatever came later: those of the least digests.
 */
export function measuredSet(heldOut: readonly ArrivedExample[], most = MAX_MEASURED): readonly ArrivedExample[] {
  if (heldOut.length <= most) return heldOut;
  const chosen = [...heldOut].sort((a, b) => (a.digest < b.digest ? -1 : 1)).slice(0, most);
  return chosen.sort((a, b) => a.ordinal - b.ordinal);
}
