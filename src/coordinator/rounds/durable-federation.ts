/**
 * One running federation. Events go one after the other through the pure machine. One transaction
 * writes an event and all its effects. Only after the commit the state in memory is replaced,
 * members are woken and timers are set. After a failed transaction the state is read again from the
 * store.
 */

import { Mutex } from 'async-mutex';
import { CutlayerError, type ErrorCode } from '../../errors.js';
import type { ChainHead } from '../../protocol/federation/chain.js';
import type { Transaction } from '../tables/database.js';
import type { FederationContext } from './federation-context.js';
import { loadCohort, type RoundCohort } from './round-cohort.js';
import type { RoundEvent } from './round-event.js';
import { wakeAt, withNearDeadlines } from './round-machine.js';
import { releaseRound } from './round-release.js';
import type { FederationMemory, RoundState } from './round-state.js';
import { SealedInboxes } from './sealed-inboxes.js';
import { SeenMembers } from './seen-members.js';
import { writeTransition } from './transition-writer.js';
import { WaitingMembers } from './waiting-members.js';
import { latestOf, newestBroadcast, readNewest, readWritten, spentOf, type Written } from './written-state.js';

/** Time after which a failed write of a timer or an aggregate is tried again. */
const RETRY_MS = 1000;

/** Errors of the round itself, which abort it. After any other error the work is tried again. */
const roundFailures: readonly ErrorCode[] = [
  'SECAGG_FAILED',
  'SECAGG_REFUSED',
  'NON_FINITE',
  'INVALID_ARGUMENT',
  'INVALID_SHAPE',
  'INVALID_CONFIG',
];

/** See the module's header. */
export class DurableFederation {
  readonly context: FederationContext;
  readonly waiting: WaitingMembers;
  readonly seen: SeenMembers;
  #written: Written;
  #stale = false;
  #closed = false;
  readonly #turn = new Mutex();
  #cancelTimer: () => void = () => {};
  #cohort: RoundCohort | undefined;
  #inboxes: SealedInboxes | undefined;
  #releasing: Promise<void> | undefined;
  readonly #abort = new AbortController();
  #bytesIn = 0;
  #bytesOut = 0;

  private constructor(context: FederationContext, written: Written, seen: SeenMembers) {
    this.context = context;
    this.seen = seen;
    this.waiting = new WaitingMembers(context.schedule);
    this.#written = written;
  }

  /** Resumes from the stored state. */
  static async open(context: FederationContext): Promise<DurableFederation> {
    const { written, seen } = await context.database.transaction(async (transaction) => ({
      written: await readNewest(transaction, context),
      seen: new SeenMembers(await transaction.lastSeen.read(context.id)),
    }));
    await context.latest.record(context.id, latestOf(written));
    const memory = withNearDeadlines(written.memory, context.now(), context.policy);
    const federation = new DurableFederation(context, { ...written, memory }, seen);
    federation.#goOn();
    return federation;
  }

  get memory(): FederationMemory {
    return this.#written.memory;
  }

  /** The newest broadcast. */
  get head(): ChainHead {
    return this.#written.head;
  }

  /** Counts bytes of rounds; the next event writes them. */
  count({ received = 0, sent = 0 }: { readonly received?: number; readonly sent?: number }): void {
    this.#bytesIn += received;
    this.#bytesOut += sent;
  }

  /** Bytes so far, written or not. */
  get bytes(): { readonly received: number; readonly sent: number } {
    return { received: this.memory.bytesIn + this.#bytesIn, sent: this.memory.bytesOut + this.#bytesOut };
  }

  /** Lets `work` read the state. @throws CutlayerError what `work` throws, and the store's */
  look<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#exclusive(() => this.context.database.transaction(work));
  }

  /**
   * Lets `work` read the state, write, and return an event (null: none). Everything is durable when
   * the promise resolves, nothing when it rejects.
   * @throws CutlayerError what `work` throws, and the store's
   */
  apply(work: (transaction: Transaction) => Promise<RoundEvent | null>): Promise<void> {
    return this.#exclusive(async () => {
      const { context } = this;
      const now = context.now();
      const [bytesIn, bytesOut] = [this.#bytesIn, this.#bytesOut];
      const seen = this.seen.unwritten();
      let after = this.#written;
      let decided = false;
      try {
        await context.database.transaction(async (transaction) => {
          const event = await work(transaction);
          if (event === null) return;
          decided = true;
          const next = await writeTransition(transaction, context, this.memory, event, now);
          if (next === this.memory) return;
          const memory = { ...next, bytesIn: next.bytesIn + bytesIn, bytesOut: next.bytesOut + bytesOut };
          await transaction.federations.update(context.id, { status: memory.status, state: memory, at: now });
          await transaction.lastSeen.write(context.id, seen);
          // Privacy is spent only where a stage ends.
          const moved = memory.round?.round !== this.memory.round?.round || memory.round?.stage !== this.memory.round?.stage;
          const spent = moved ? await spentOf(transaction, context) : this.#written.spent;
          after = { memory, head: await newestBroadcast(transaction, context.id), spent };
        });
        await context.latest.record(context.id, latestOf(after));
      } catch (caught) {
        // The commit may have succeeded although its promise rejected: read the store.
        this.#stale = decided;
        throw caught;
      }
      if (after !== this.#written) {
        this.#written = after;
        this.#bytesIn -= bytesIn;
        this.#bytesOut -= bytesOut;
        this.seen.written(seen);
        this.#goOn();
      }
    });
  }

  /** Applies an event that needs no other write. */
  happen(event: RoundEvent): Promise<void> {
    return this.apply(async () => event);
  }

  /** The current round's cohort; cached until the round ends. */
  async cohortOf(transaction: Transaction, round: RoundState): Promise<RoundCohort> {
    const known = this.#cohort;
    const formed = round.stage !== 'enlisting' && this.context.policy.secure;
    if (known?.round === round.round && known.enlistments.length === round.enlisted.length && (known.secure !== null) === formed)
      return known;
    this.#cohort = await loadCohort(transaction, this.context, round);
    return this.#cohort;
  }

  /** The current round's sealed shares; cached while they are handed out. */
  async inboxesOf(transaction: Transaction, { round, sharers }: RoundState): Promise<SealedInboxes> {
    if (this.#inboxes?.round !== round) this.#inboxes = await SealedInboxes.load(transaction, this.context.id, round, sharers);
    return this.#inboxes;
  }

  /** Cancels timers and waiting members, and waits for pending writes. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer();
    this.#abort.abort();
    this.waiting.wake();
    await this.#releasing;
    await this.#turn.waitForUnlock();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** After a commit, and at the start: wakes members, sets the timer, starts the due aggregate. */
  #goOn(): void {
    this.#cancelTimer();
    if (this.#closed) return;
    const { memory } = this;
    const at = wakeAt(memory, this.context.policy);
    if (at !== null) this.#wakeAt(at);
    if (memory.round?.stage === 'releasing') this.#startRelease(memory.round);
    if (this.#cohort !== undefined && this.#cohort.round !== memory.round?.round) this.#cohort = undefined;
    if (memory.round?.stage !== 'submitting') this.#inboxes = undefined;
    this.waiting.wake();
  }

  #wakeAt(at: number): void {
    const { now, schedule, log, id } = this.context;
    this.#cancelTimer();
    this.#cancelTimer = schedule(at, () => {
      if (this.#closed) return;
      if (now() < at) return this.#wakeAt(at);
      this.happen({ kind: 'tick' }).catch((caught: unknown) => {
        if (this.#closed) return;
        log.error({ federation: id, err: caught }, 'a cutoff could not be written; trying again');
        this.#wakeAt(now() + RETRY_MS);
      });
    });
  }

  /** One at a time: a round without members can be due before the last release has returned. */
  #startRelease(round: RoundState): void {
    this.#releasing ??= this.#release(round).finally(() => {
      this.#releasing = undefined;
      const { round: next } = this.memory;
      if (!this.#closed && next?.stage === 'releasing' && next.round !== round.round) this.#startRelease(next);
    });
  }

  async #release(round: RoundState): Promise<void> {
    const { log, id } = this.context;
    try {
      await releaseRound(this, round, this.#abort.signal);
    } catch (caught) {
      if (this.#closed) return;
      const { code, message } = CutlayerError.from(caught);
      const failed = roundFailures.includes(code);
      if (!failed) log.error({ federation: id, round: round.round, err: caught }, 'the aggregate could not be made; trying again');
      const again = (): void => this.#retryRelease(round);
      if (failed) await this.happen({ kind: 'failed', round: round.round, reason: message }).catch(again);
      else again();
    }
  }

  #retryRelease(round: RoundState): void {
    if (this.#closed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.context.schedule(this.context.now() + RETRY_MS, () => {
      // Reads the state again where needed, and retries the release that is still due.
      this.look(async () => {}).then(
        () => this.#goOn(),
        () => this.#retryRelease(round),
      );
    });
  }

  /** Runs calls one after the other, each with the stored state. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.runExclusive(async () => {
      if (this.#closed) throw new CutlayerError('DRAINING', 'the coordinator is stopping; connect again');
      if (this.#stale) {
        const { context } = this;
        const written = await context.database.transaction((transaction) => readWritten(transaction, context));
        await context.latest.record(context.id, latestOf(written));
        this.#written = written;
        this.#stale = false;
        this.#goOn();
      }
      return work();
    });
  }
}
