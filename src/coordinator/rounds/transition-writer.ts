/** Writes a transition: the event, everything that its effects ask for and the new state, all within one transaction of the caller. */
import { UniformIntegers } from '../../privacy/random.js';
import type { Transaction } from '../tables/database.js';
import { announce } from './announce.js';
import type { FederationContext } from './federation-context.js';
import { budgetRefusal, privacySpent, releaseRefusal, spend } from './privacy-ledger.js';
import { stageFailure } from './round-cohort.js';
import type { RoundEffect, RoundEvent } from './round-event.js';
import { dueRound, transition } from './round-machine.js';
import type { FederationMemory, RoundState } from './round-state.js';
import { type Evaluation, judgement, promoteVersion, pruneVersions, rollBackVersions } from './version-registry.js';

/** One event, and the round that becomes due by it. @param evaluation What an `evaluated` event rests on. */
export async function writeTransition(
  transaction: Transaction,
  context: FederationContext,
  before: FederationMemory,
  event: RoundEvent,
  now: number,
  evaluation: Evaluation | null = null,
): Promise<FederationMemory> {
  const after = await writeEvent(transaction, context, before, event, now, evaluation);
  const purpose = dueRound(after, now, context.policy);
  if (purpose === null) return after;
  const refusal = await budgetRefusal(transaction, context, purpose, after.clipNorm);
  const begin: RoundEvent = { kind: 'begin', purpose, drawn: drawMembers(context), refusal };
  return writeEvent(transaction, context, after, begin, now, null);
}

async function writeEvent(
  transaction: Transaction,
  context: FederationContext,
  before: FederationMemory,
  event: RoundEvent,
  now: number,
  evaluation: Evaluation | null,
): Promise<FederationMemory> {
  const { id, policy, log } = context;
  const { state, effects } = transition(before, event, now, policy);
  if (state === before && effects.length === 0) return before;
  const problem = await newStageProblem(transaction, context, before.round, state.round);
  // What the event itself would have cost or led to has not happened then.
  if (problem !== null && event.kind !== 'failed')
    return writeEvent(transaction, context, before, { kind: 'failed', round: problem.round, reason: problem.reason }, now, null);
  for (const effect of effects) await writeEffect(transaction, context, effect, { after: state, now, evaluation });
  const ending = effects.some((effect) => effect.kind === 'ended') ? state.recent[0] : undefined;
  if (ending?.aborted != null)
    log.warn({ federation: id, round: ending.round, purpose: ending.purpose, reason: ending.aborted }, 'round aborted');
  return state;
}

/** Why the stage just entered cannot be gone through. */
async function newStageProblem(
  transaction: Transaction,
  context: FederationContext,
  before: RoundState | null,
  after: RoundState | null,
): Promise<{ readonly round: number; readonly reason: string } | null> {
  if (after === null || before === null || before.stage === after.stage) return null;
  const revealing = after.stage === (context.policy.secure ? 'unmasking' : 'releasing');
  const reason =
    (await stageFailure(transaction, context, after)) ?? (revealing ? await releaseRefusal(transaction, context, after) : null);
  return reason === null ? null : { round: after.round, reason };
}

interface EffectContext {
  readonly after: FederationMemory;
  readonly now: number;
  readonly evaluation: Evaluation | null;
}

async function writeEffect(
  transaction: Transaction,
  context: FederationContext,
  effect: RoundEffect,
  { after, now, evaluation }: EffectContext,
): Promise<void> {
  const { id } = context;
  switch (effect.kind) {
    case 'spend':
      await spend(transaction, context, after.round!, now); // the machine spends for the round under way
      return;
    case 'ended':
      return transaction.pruneRound(id, effect.round);
    case 'promote':
    case 'reject': {
      const { kind, version, round } = effect;
      if (kind === 'promote') await promoteVersion(transaction, id, version, effect.previous);
      else await transaction.versions.setStatus(id, version, 'rejected');
      await pruneVersions(transaction, id, [after.promoted, after.candidate]);
      return announce(transaction, context, judgement(kind, version, round, evaluation, await announcedSpend(transaction, context)), now);
    }
    case 'rolledBack':
      await rollBackVersions(transaction, id, effect.version, effect.from);
      return announce(transaction, context, { kind: 'rollback', version: effect.version, from: effect.from }, now);
    case 'finished':
      return announce(transaction, context, { kind: 'finish', reason: effect.reason.slice(0, 256) }, now);
  }
}

/** What privacy has cost, as announcements say it. */
export async function announcedSpend(transaction: Transaction, context: FederationContext) {
  const spent = await privacySpent(transaction, context);
  if (spent === null) return null;
  const { maxEpsilon: _, ...announced } = spent;
  return announced;
}

/** Each member by itself with the probability that the manifest gives; null: no sampling. The draw is in the state before anybody is asked. */
function drawMembers({ manifest, policy, random }: FederationContext): string[] | null {
  const { sampling } = manifest.settings.cohort;
  if (sampling.kind === 'all') return null;
  const uniform = new UniformIntegers(random);
  const range = 2 ** 53;
  return policy.members.filter(() => uniform.below(range) < sampling.rate * range);
}
