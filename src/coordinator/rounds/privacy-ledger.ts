/**
 * A federation's privacy ledger: one row for each round whose sum could become known. It is written
 * in the transaction that makes this possible and never removed. So a crash between spending and
 * releasing counts too much, never too little.
 */

import { epsilonOf } from '../../privacy/accountant.js';
import { type PrivacyEvent, parsePrivacyEvent } from '../../privacy/event.js';
import { mayRelease } from '../../privacy/ledger.js';
import type { RoundPurpose } from '../../protocol/federation/enlistment.js';
import { amplifyingRate, maxCohortOf, privacyEventOf } from '../../protocol/federation/round-mechanism.js';
import type { PrivacyReport } from '../coordinator-api.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';
import type { RoundState } from './round-state.js';

type Ledger = Pick<FederationContext, 'id' | 'manifest'>;

/** Everything that has been spent, by round. */
async function spentEvents(transaction: Transaction, { id }: Ledger): Promise<PrivacyEvent[]> {
  return (await transaction.privacySpend.list(id)).map(({ entry }) => parsePrivacyEvent(entry));
}

/**
 * Why a round may not begin. The budget must cover it at any size of the cohort; for a train round
 * it must cover the evaluation that follows as well.
 * @returns null when it may
 */
export async function budgetRefusal(
  transaction: Transaction,
  ledger: Ledger,
  purpose: RoundPurpose,
  clipNorm: number | null,
): Promise<string | null> {
  const { manifest } = ledger;
  const { privacy, evaluation, cohort } = manifest.settings;
  if (privacy === null) return null;
  const budget = { epsilon: privacy.maxEpsilon, delta: privacy.delta };
  const spent = await spentEvents(transaction, ledger);
  for (const size of new Set([cohort.min, maxCohortOf(manifest)])) {
    const purposes: RoundPurpose[] = purpose === 'train' && evaluation !== null ? ['train', 'evaluate'] : [purpose];
    const costs = purposes.map((each) => privacyEventOf(manifest, each, { cohort: size, clipNorm: each === 'train' ? clipNorm : null }));
    const planned = costs.filter((cost) => cost !== null);
    const last = planned.at(-1);
    if (last === undefined) continue;
    const decision = mayRelease([...spent, ...planned.slice(0, -1)], last, budget);
    if (decision.allowed) continue;
    const [before, after] = [epsilonOf(spent, privacy.delta), decision.after].map(({ epsilon }) => epsilon.toPrecision(4));
    const what = planned.length > 1 ? 'another round and its evaluation' : 'another round';
    return `the privacy budget is spent: epsilon is ${before} of ${privacy.maxEpsilon} at delta ${privacy.delta}, and ${what} would bring it to ${after}`;
  }
  return null;
}

/** Why the sum of this round may not become known; null when it may. */
export async function releaseRefusal(transaction: Transaction, ledger: Ledger, round: RoundState): Promise<string | null> {
  const { privacy } = ledger.manifest.settings;
  const cost = costOf(ledger, round);
  if (privacy === null || cost === null) return null;
  const decision = mayRelease(await spentEvents(transaction, ledger), cost, { epsilon: privacy.maxEpsilon, delta: privacy.delta });
  return decision.allowed ? null : `the privacy budget does not bear it: ${decision.reason}`;
}

/** Writes the round's cost. */
export async function spend(transaction: Transaction, ledger: Ledger, round: RoundState, at: number): Promise<void> {
  const entry = costOf(ledger, round);
  if (entry !== null) await transaction.privacySpend.record({ federation: ledger.id, round: round.round, entry, at });
}

/** The spent budget; null without differential privacy. */
export async function privacySpent(transaction: Transaction, ledger: Ledger): Promise<PrivacyReport | null> {
  const { privacy, cohort } = ledger.manifest.settings;
  if (privacy === null) return null;
  const events = await spentEvents(transaction, ledger);
  const { epsilon } = epsilonOf(events, privacy.delta);
  return {
    unit: privacy.unit,
    epsilon: Number.isFinite(epsilon) ? epsilon : Number.MAX_VALUE,
    delta: privacy.delta,
    rounds: events.length,
    sampling:
      cohort.sampling.kind === 'poisson'
        ? `poisson, rate ${cohort.sampling.rate}${amplifyingRate(ledger.manifest) === null ? ', not counted' : ''}`
        : 'none',
    maxEpsilon: privacy.maxEpsilon,
  };
}

/** The spent budget as broadcasts state it. */
export async function broadcastSpend(transaction: Transaction, ledger: Ledger): Promise<Omit<PrivacyReport, 'maxEpsilon'> | null> {
  const spent = await privacySpent(transaction, ledger);
  if (spent === null) return null;
  const { maxEpsilon: _, ...report } = spent;
  return report;
}

function costOf({ manifest }: Ledger, { purpose, clipNorm, enlisted }: RoundState): PrivacyEvent | null {
  return privacyEventOf(manifest, purpose, { cohort: enlisted.length, clipNorm });
}
