/** Writes a transition's effects in the transaction that writes the new state. */
import { UniformIntegers } from '../../privacy/random.js';
import type { Transaction } from '../tables/database.js';
import { appendBroadcast } from './append-broadcast.js';
import type { FederationContext } from './federation-context.js';
import { broadcastSpend, budgetRefusal, releaseRefusal, spend } from './privacy-ledger.js';
import { stageFailure } from './round-cohort.js';
import type { RoundEffect, RoundEvent } from './round-event.js';
import { dueRound, transition } from './round-machine.js';
import type { FederationMemory, RoundState } from './round-state.js';
import { judgement, promoteVersion, pruneVersions, rollBackVersions } from './version-registry.js';

/** Writes one event, and the round that becomes due by it. */
export async function writeTransition(
  transaction: Transaction,
  context: FederationContext,
  before: FederationMemory,
  event: RoundEvent,
  now: number,
): Promise<FederationMemory> {
  const after = await writeEvent(transaction, context, before, event, now);
  const purpose = dueRound(after, now, context.policy);
  if (purpose === null) return after;
  const refusal = await budgetRefusal(transaction, context, purpose, after.clipNorm);
  return writeEvent(transaction, context, after, { kind: 'begin', purpose, drawn: drawMembers(context), refusal }, now);
}

async function writeEvent(
  transaction: Transaction,
  context: FederationContext,
  before: FederationMemory,
  event: RoundEvent,
  now: number,
): Promise<FederationMemory> {
  const { id, policy, log } = context;
  const { state, effects } = transition(before, event, now, policy);
  if (state === before && effects.length === 0) return before;
  const reason = await newStageProblem(transaction, context, before.round, state.round);
  // The round fails instead, so the event's own effects are dropped.
  if (reason !== null && event.kind !== 'failed')
    return writeEvent(transaction, context, before, { kind: 'failed', round: state.round!.round, reason }, now); // it has a stage
  for (const effect of effects) await writeEffect(transaction, context, event, effect, state, now);
  const ending = effects.some((effect) => effect.kind === 'ended') ? state.recent[0] : undefined;
  if (ending?.aborted != null)
    log.warn({ federation: id, round: ending.round, purpose: ending.purpose, reason: ending.aborted }, 'round aborted');
  return state;
}

/** Why the stage just entered must fail; null when it can continue. */
async function newStageProblem(
  transaction: Transaction,
  context: FederationContext,
  before: RoundState | null,
  after: RoundState | null,
): Promise<string | null> {
  if (after === null || before === null || before.stage === after.stage) return null;
  const revealing = after.stage === (context.policy.secure ? 'unmasking' : 'releasing');
  return (await stageFailure(transaction, context, after)) ?? (revealing ? releaseRefusal(transaction, context, after) : null);
}

async function writeEffect(
  transaction: Transaction,
  context: FederationContext,
  event: RoundEvent,
  effect: RoundEffect,
  after: FederationMemory,
  now: number,
): Promise<void> {
  const { id } = context;
  switch (effect.kind) {
    case 'spend':
      return spend(transaction, context, after.round!, now); // the machine spends for the round under way
    case 'ended':
      return transaction.pruneRound(id, effect.round);
    case 'promote':
    case 'reject': {
      const { kind, version, round } = effect;
      if (kind === 'promote') await promoteVersion(transaction, id, version, effect.previous);
      else await transaction.versions.setStatus(id, version, 'rejected');
      await pruneVersions(transaction, id, [after.promoted, after.candidate]);
      const evaluation = event.kind === 'evaluated' ? event.evaluation : null;
      return appendBroadcast(
        transaction,
        context,
        judgement(kind, version, round, evaluation, await broadcastSpend(transaction, context)),
        now,
      );
    }
    case 'rolledBack':
      await rollBackVersions(transaction, id, effect.version, effect.from);
      return appendBroadcast(
        transaction,
        context,
        { kind: 'rollback', version: effect.version, from: effect.from, order: effect.order },
        now,
      );
    case 'finished':
      return appendBroadcast(
        transaction,
        context,
        {
          kind: 'finish',
          reason: effect.reason.slice(0, 256),
          order: effect.order,
          privacy: await broadcastSpend(transaction, context),
        },
        now,
      );
  }
}

/** Draws each member with the manifest's probability; null: no sampling. */
function drawMembers({ manifest, policy, random }: FederationContext): string[] | null {
  const { sampling } = manifest.settings.cohort;
  if (sampling.kind === 'all') return null;
  const uniform = new UniformIntegers(random);
  const range = 2 ** 53;
  return policy.members.filter(() => uniform.below(range) < sampling.rate * range);
}
