/** What a member can tell of the privacy budget from the number of rounds that were paid for. */
import { epsilonOf } from '../../privacy/accountant.js';
import type { RoundPurpose } from './enlistment.js';
import { initialClipNorm, maxCohortOf, privacyEventOf, type RoundRules } from './round-mechanism.js';

/** More rounds than any federation has. */
const MOST_ROUNDS = 1e9;

/** Rounds of other sizes and clip norms differ by less in their cost. */
const TOLERANCE = 0.01;

/**
 * Whether the budget bears another round, and its evaluation, even if all rounds before were of the
 * dearest kind. The coordinator then has no reason to end the federation.
 * @param rounds paid for so far, of both purposes
 */
export function bearsAnotherRound(manifest: RoundRules, rounds: number): boolean {
  const { privacy, evaluation, cohort } = manifest.settings;
  if (privacy === null) return true;
  const purposes: readonly RoundPurpose[] = evaluation === null ? ['train'] : ['train', 'evaluate'];
  const count = Math.min(rounds, MOST_ROUNDS) + purposes.length;
  return purposes.every((purpose) =>
    [cohort.min, maxCohortOf(manifest)].every((size) => {
      const clipNorm = purpose === 'train' ? initialClipNorm(manifest) : null;
      const cost = privacyEventOf(manifest, purpose, { cohort: size, clipNorm });
      return cost === null || epsilonOf([{ ...cost, count }], privacy.delta).epsilon <= (1 - TOLERANCE) * privacy.maxEpsilon;
    }),
  );
}
