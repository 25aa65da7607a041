/**
 * A federation for one member. Every message is checked, then written together with its transition,
 * and only then answered. An invalid message is refused with a typed error and changes nothing: its
 * sender can be dropped, the round continues.
 */

import { CutlayerError } from '../../errors.js';
import type { Enlistment } from '../../protocol/federation/enlistment.js';
import type { FederationApi, RoundStage, Task, TaskAnswer, TaskRequest } from '../../protocol/federation/federation-api.js';
import { confirmationCodec, enlistmentCodec, revealedCodec, sealedCodec } from '../../protocol/federation/message-codec.js';
import { payloadLength } from '../../protocol/federation/payload.js';
import type { Confirmation, RevealedShares, SealedShares } from '../../protocol/secagg/messages.js';
import { addInto } from '../../protocol/secagg/ring.js';
import { verifySealed } from '../../protocol/secagg/server.js';
import { verifyConfirmation, verifyMasked, verifyRevealed } from '../../protocol/secagg/verification.js';
import { FederationRecords } from '../federation-reader.js';
import type { Transaction } from '../tables/database.js';
import type { DurableFederation } from './durable-federation.js';
import { type MemberTask, memberTask, stageGivenUp } from './member-task.js';
import { bytesOf, float32Payload, uint32Payload } from './payload-bytes.js';
import { MASKED_SUM } from './round-aggregate.js';
import { checkEnlistment } from './round-cohort.js';
import type { AnswerStage, RoundEvent } from './round-event.js';
import { expectedMembers } from './round-stages.js';
import type { RoundState } from './round-state.js';

/** The event of a valid message. */
type Arrival = Extract<RoundEvent, { readonly kind: 'enlisted' | 'answered' }>;

/** Checks a message and writes what it adds to; throws to refuse it. */
type Check = (transaction: Transaction, round: RoundState) => Promise<void>;

/** See the module's header. */
export class FederationMember extends FederationRecords implements FederationApi {
  readonly #federation: DurableFederation;
  readonly #member: string;

  constructor(federation: DurableFederation, member: string) {
    super(() => federation);
    this.#federation = federation;
    this.#member = member;
  }

  async nextTask(request: TaskRequest, signal?: AbortSignal): Promise<TaskAnswer> {
    const federation = this.#federation;
    const { policy, now } = federation.context;
    const until = now() + request.waitMs;
    federation.waiting.replace(this.#member);
    await this.#report(request);
    for (;;) {
      if (federation.closed) throw new CutlayerError('DRAINING', 'the coordinator is stopping; ask again');
      const { memory, head } = federation;
      const task = memberTask(memory, this.#member, request, policy);
      const broadcasts = head.seq + 1;
      const remainingMs = memory.round?.deadline == null ? 0 : Math.max(1, memory.round.deadline - now());
      if (task.kind !== 'wait' || broadcasts > request.broadcastsKnown || now() >= until) {
        const filled = await this.#fill(task);
        if (filled !== null) return { task: filled, broadcasts, remainingMs: task.kind === 'answer' ? remainingMs : 0 };
        continue; // the round has ended meanwhile
      }
      const woken = await federation.waiting.wait(this.#member, until, signal);
      if (woken === 'replaced') return { task: { kind: 'wait', reason: 'a newer call of this member waits' }, broadcasts, remainingMs: 0 };
    }
  }

  async enlist(round: number, enlistment: Enlistment): Promise<void> {
    const member = this.#member;
    const event: Arrival = { kind: 'enlisted', round, member, examples: enlistment.examples };
    await this.#receive(event, enlistmentCodec.encode(enlistment), async (transaction, state) => {
      const { enlistments } = await this.#federation.cohortOf(transaction, state);
      checkEnlistment(this.#federation.context, state, member, enlistment, this.#federation.head.hash, enlistments);
    });
  }

  async shareKeys(round: number, shares: readonly SealedShares[]): Promise<void> {
    // Sorted: the same shares in another order are the same message.
    const bytes = sealedCodec.encode([...shares].sort((a, b) => (a.to < b.to ? -1 : 1)));
    await this.#receive(this.#answer(round, 'sharing'), bytes, async (transaction, state) =>
      verifySealed(await this.#secureCohort(transaction, state), this.#member, shares),
    );
  }

  async submit(round: number, payload: Uint8Array): Promise<void> {
    const { id, manifest, policy } = this.#federation.context;
    // Before the exclusive part: no other call waits while a too large payload is hashed.
    const most = 4 * Math.max(payloadLength(manifest, 'train'), payloadLength(manifest, 'evaluate'));
    if (payload.length > most)
      throw new CutlayerError('INVALID_ARGUMENT', `payload: expected at most ${most} bytes in this federation, got ${payload.length}`);
    const check: Check = async (transaction, state) => {
      const length = payloadLength(manifest, state.purpose);
      if (!policy.secure) return void float32Payload(payload, length, state.purpose);
      const masked = uint32Payload(payload, length);
      const { round: rules } = await this.#secureCohort(transaction, state);
      verifyMasked(rules, this.#member, masked);
      const before = await transaction.accumulators.read(id, round, MASKED_SUM);
      const sum = before === undefined ? new Uint32Array(length) : uint32Payload(before.bytes, length);
      addInto(sum, masked, rules.bits);
      await transaction.accumulators.include({ federation: id, round, name: MASKED_SUM, member: this.#member, bytes: bytesOf(sum) });
    };
    await this.#receive(this.#answer(round, 'submitting'), payload, check, !policy.secure);
  }

  async confirm(round: number, confirmation: Confirmation): Promise<void> {
    await this.#receive(this.#answer(round, 'confirming'), confirmationCodec.encode(confirmation), async (transaction, state) => {
      this.#requireOwn(confirmation.participant);
      verifyConfirmation(await this.#secureCohort(transaction, state), state.submitted, confirmation, this.#publicKey());
    });
  }

  async unmask(round: number, revealed: RevealedShares): Promise<void> {
    await this.#receive(this.#answer(round, 'unmasking'), revealedCodec.encode(revealed), async (transaction, state) => {
      this.#requireOwn(revealed.participant);
      verifyRevealed(await this.#secureCohort(transaction, state), state.sharers, state.submitted, revealed, this.#publicKey());
    });
  }

  /** Records what a call for a task tells of the member. */
  async #report(request: TaskRequest): Promise<void> {
    const federation = this.#federation;
    const { policy } = federation.context;
    const { memory } = federation;
    const member = this.#member;
    const counted = policy.trigger.kind === 'newExamples' && memory.status === 'running';
    if (counted && memory.ready.includes(member) !== request.newExamplesReady)
      await federation.happen({ kind: 'ready', member, ready: request.newExamplesReady });
    if (stageGivenUp(federation.memory, member, request, policy) === null) return;
    await federation.apply(async () => {
      const { round } = federation.memory;
      const stage = stageGivenUp(federation.memory, member, request, policy);
      return stage === null || round === null ? null : { kind: 'gaveUp', round: round.round, stage, member };
    });
  }

  #answer(round: number, stage: AnswerStage): Arrival {
    return { kind: 'answered', round, stage, member: this.#member };
  }

  /**
   * Takes a message, or recognises a repeat.
   * @param keepBytes False: only the digest is kept.
   */
  async #receive(event: Arrival, bytes: Uint8Array, check: Check, keepBytes = true): Promise<void> {
    const federation = this.#federation;
    const { id, policy, now } = federation.context;
    const { round: number, member } = event;
    const stage = event.kind === 'enlisted' ? 'enlisting' : event.stage;
    await federation.apply(async (transaction) => {
      const { round } = federation.memory;
      const message = { federation: id, round: number, stage, member, bytes, keepBytes, at: now() };
      if (round?.round !== number) throw this.#closed(number, stage);
      if (await transaction.messages.holds(message)) return null;
      if (round.stage !== stage || !expectedMembers(round, policy).includes(member)) throw this.#closed(number, stage);
      await check(transaction, round);
      await transaction.messages.put(message);
      federation.count({ received: bytes.length });
      return event;
    });
  }

  /** A task with its payload; null when it is no longer due. */
  async #fill(task: MemberTask): Promise<Task | null> {
    if (task.kind !== 'answer') return task;
    const { round, purpose, version, promoted } = task.round;
    if (task.stage === 'enlisting') return { kind: 'enlist', round, purpose, version, promoted };
    if (task.stage === 'confirming') return { kind: 'confirm', round, survivors: task.round.submitted };
    const federation = this.#federation;
    return federation.look(async (transaction) => {
      const state = federation.memory.round;
      return state?.round === round && state.stage === task.stage ? this.#payload(transaction, state) : null;
    });
  }

  async #payload(transaction: Transaction, state: RoundState): Promise<Task> {
    const federation = this.#federation;
    const { id, policy } = federation.context;
    const { round, stage } = state;
    const cohort = await federation.cohortOf(transaction, state);
    if (stage === 'sharing') return { kind: 'shareKeys', round, cohort: cohort.enlistments };
    if (stage === 'submitting') {
      if (!policy.secure) return { kind: 'submit', round, cohort: cohort.enlistments, inbox: [] };
      const inboxes = await federation.inboxesOf(transaction, state);
      const inbox = await inboxes.of(transaction, cohort.secure!, this.#member); // formed when sharing began
      federation.count({ sent: inbox.reduce((total, { ciphertext }) => total + ciphertext.length, 0) });
      return { kind: 'submit', round, cohort: [], inbox };
    }
    const rows = await transaction.messages.list(id, round, 'confirming');
    return { kind: 'unmask', round, confirmations: rows.map(({ bytes }) => confirmationCodec.decode(bytes!)) };
  }

  async #secureCohort(transaction: Transaction, state: RoundState) {
    const { secure } = await this.#federation.cohortOf(transaction, state);
    if (secure === null)
      throw new CutlayerError('INVALID_ARGUMENT', `round ${state.round}: this federation has no secure aggregation, nor this stage`);
    return secure;
  }

  #publicKey(): Uint8Array {
    return Buffer.from(this.#federation.context.manifest.members.find(({ name }) => name === this.#member)!.publicKey, 'hex'); // on the roster
  }

  #requireOwn(participant: string): void {
    if (participant !== this.#member)
      throw new CutlayerError('INVALID_ARGUMENT', `message of ${this.#member}: expected its own name, got ${participant}`);
  }

  #closed(number: number, stage: RoundStage): CutlayerError {
    const { round } = this.#federation.memory;
    const now = round === null ? 'no round is under way' : `round ${round.round} is at ${round.stage}`;
    return new CutlayerError('ROUND_CLOSED', `round ${number}, ${stage}: ${now}, and it is not this member's turn; ask for a task`);
  }
}
