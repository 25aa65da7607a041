/**
 * One member in one round: its answers to the stages. Every answer is written down before it is
 * given, and a round once left is never entered again. The pinned manifest, the member's floors and
 * the chain decide what is answered.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { RandomBytes } from '../../../src/privacy/random.js';
import { type Enlistment, enlistmentContext, type RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import type { FederationApi, Task } from '../../../src/protocol/federation/federation-api.js';
import { secAggRoundOf } from '../../../src/protocol/federation/round-mechanism.js';
import { differenceFault } from '../../../src/protocol/federation/sum-difference.js';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import { signPlainAdvertisement } from '../../../src/protocol/secagg/messages.js';
import type { IdentityKey, Verify } from '../../../src/protocol/secagg/signature.js';
import { requireCohort } from './cohort-check.js';
import { TRAINING_FILE } from './local-training.js';
import type { MemberStore } from './member-store.js';
import type { Pin } from './pin.js';
import type { RoundPayload } from './round-payload.js';
import { type ActiveRound, PAYLOAD, type RoundRecord, readRound, writeRound } from './round-record.js';

/** What a round is entered with. */
export interface RoundEntry {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly version: number;
  readonly promoted: number;
  readonly clipNorm: number | null;
  readonly chainHead: string;
  readonly examples: number;
}

type SubmitTask = Extract<Task, { kind: 'submit' }>;

/** What a request to submit comes to. */
export type PreparedSubmission =
  | { readonly kind: 'committed' }
  | {
      readonly kind: 'wanted';
      readonly active: ActiveRound;
      /** Members of the cohort. */
      readonly cohort: number;
    };

/** What answers need besides the round itself. */
export interface RoundSurroundings {
  readonly state: MemberStore;
  readonly pin: Pin;
  readonly identity: IdentityKey;
  readonly random: RandomBytes;
  /** Default: each signature is checked each time. */
  readonly check?: Verify | undefined;
  readonly api: Pick<FederationApi, 'enlist' | 'shareKeys' | 'submit' | 'confirm' | 'unmask'>;
}

/** The newest round of this member. */
export class MemberRound {
  readonly #around: RoundSurroundings;
  #record: RoundRecord | undefined;
  #client: SecAggClient | undefined;

  private constructor(around: RoundSurroundings, record: RoundRecord | undefined) {
    this.#around = around;
    this.#record = record;
    const secagg = record?.active?.secagg ?? null;
    if (secagg !== null) this.#client = SecAggClient.fromState(secagg, around.identity, around.check);
  }

  /** Goes on from what is written down. @throws CutlayerError STORE_CORRUPT, INVALID_CONFIG */
  static open(around: RoundSurroundings): MemberRound {
    return new MemberRound(around, readRound(around.state));
  }

  /** The newest round that was begun; 0: none. */
  get number(): number {
    return this.#record?.round ?? 0;
  }

  /** What has been said in it; undefined when it is over. */
  get active(): ActiveRound | undefined {
    return this.#record?.active ?? undefined;
  }

  /** Enters a round, or repeats the entry. @throws CutlayerError ROUND_REFUSED */
  async enlist(entry: RoundEntry): Promise<void> {
    const { api, state } = this.#around;
    if (entry.round < this.number || (entry.round === this.number && this.active === undefined))
      throw refused(entry.round, `round ${this.number} was begun before it; an earlier round would be a replay`);
    if (entry.round === this.number) {
      const { purpose, version, promoted } = this.#require(entry.round);
      if (purpose !== entry.purpose || version !== entry.version || promoted !== entry.promoted)
        throw refused(
          entry.round,
          `this member has enlisted to ${purpose} version ${version}, and is now asked to ${entry.purpose} version ${entry.version}`,
        );
    } else {
      const { enlistment, client } = this.#newEnlistment(entry);
      const { purpose, version, promoted, clipNorm } = entry;
      this.#client = client;
      const active = { purpose, version, promoted, clipNorm, enlistment, cohort: null, payloadDigest: null };
      this.#write(entry.round, active, () => state.remove(PAYLOAD));
    }
    await api.enlist(entry.round, this.#require(entry.round).enlistment);
  }

  /**
   * @param knows Whether this member has a broadcast of that hash.
   * @throws CutlayerError ROUND_REFUSED, CHAIN_FORKED, SECAGG_REFUSED
   */
  async shareKeys({ round, cohort }: Extract<Task, { kind: 'shareKeys' }>, knows: (hash: string) => boolean): Promise<void> {
    const active = this.#require(round);
    const { pin, api, check } = this.#around;
    const client = this.#secagg(round);
    requireCohort(cohort, { pin, round, enlistment: active.enlistment, check, knows });
    const shares = client.shareKeys(
      cohort.map(({ advertisement }) => advertisement),
      new Map(pin.open.manifest.members.map(({ name, publicKey }) => [name, new Uint8Array(Buffer.from(publicKey, 'hex'))])),
    );
    this.#write(round, { ...active, cohort: cohort.length });
    await api.shareKeys(round, shares);
  }

  /**
   * Checks a request to submit.
   * @returns what a payload is made for; or `committed`: the round has one, which is submitted
   * @throws CutlayerError ROUND_REFUSED, CHAIN_FORKED
   */
  prepare({ round, cohort }: SubmitTask, knows: (hash: string) => boolean): PreparedSubmission {
    const active = this.#require(round);
    if (active.payloadDigest !== null) return { kind: 'committed' };
    const { pin, check } = this.#around;
    const secret = pin.open.manifest.settings.secureAggregation !== null;
    if (!secret) requireCohort(cohort, { pin, round, enlistment: active.enlistment, check, knows });
    const members = secret ? active.cohort : cohort.length;
    if (members === null) throw refused(round, 'asked for an update before any keys were shared');
    return { kind: 'wanted', active, cohort: members };
  }

  /** Masks a payload, writes its bytes, gives their digest. @throws CutlayerError SECAGG_REFUSED */
  async seal({ round, inbox }: SubmitTask, payload: RoundPayload): Promise<string> {
    this.#require(round);
    const values = payload.kind === 'plain' ? payload.values : this.#secagg(round).mask(inbox, payload.ring);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await this.#around.state.write(PAYLOAD, bytes);
    return digest(bytes);
  }

  /** From now on the round submits the sealed bytes alone. @param payloadDigest Of `seal`. */
  commit(round: number, cohort: number, payloadDigest: string): void {
    this.#write(round, { ...this.#require(round), cohort, payloadDigest });
  }

  /** Submits what was committed to. @returns bytes @throws CutlayerError ROUND_REFUSED */
  async submit(round: number): Promise<number> {
    const { payloadDigest } = this.#require(round);
    const bytes = this.#around.state.read(PAYLOAD);
    if (bytes === undefined || digest(bytes) !== payloadDigest)
      throw refused(round, 'the payload in the state directory is not what was submitted first, and nothing else may be');
    await this.#around.api.submit(round, bytes);
    return bytes.length;
  }

  /**
   * Confirms the members of the sum.
   * @param newestSum members of the newest sum of a purpose that the chain tells of
   * @throws CutlayerError SECAGG_REFUSED, ROUND_REFUSED
   */
  async confirm(
    { round, survivors }: Extract<Task, { kind: 'confirm' }>,
    newestSum: (purpose: RoundPurpose) => readonly string[] | undefined,
  ): Promise<void> {
    const active = this.#require(round);
    const fault = differenceFault(newestSum(active.purpose), survivors, this.#around.pin.floors.minDifference);
    if (fault !== null) throw refused(round, fault);
    const client = this.#secagg(round);
    const confirmation = client.confirm(survivors);
    this.#write(round, active);
    await this.#around.api.confirm(round, confirmation);
  }

  /** @throws CutlayerError SECAGG_REFUSED */
  async unmask({ round, confirmations }: Extract<Task, { kind: 'unmask' }>): Promise<void> {
    const active = this.#require(round);
    const client = this.#secagg(round);
    const revealed = client.unmask(confirmations);
    this.#write(round, active);
    await this.#around.api.unmask(round, revealed);
  }

  /** Ends a round, begun or not, for this member: deletes its secrets and answers nothing more. */
  leave(round: number, { keepTraining }: { readonly keepTraining: boolean }): void {
    if (round < this.number) return;
    const { state } = this.#around;
    this.#client = undefined;
    this.#write(round, null, () => {
      state.remove(PAYLOAD);
      if (!keepTraining) state.remove(TRAINING_FILE);
    });
    state.forget();
  }

  #newEnlistment({ round, purpose, chainHead, examples }: RoundEntry): {
    readonly enlistment: Enlistment;
    readonly client: SecAggClient | undefined;
  } {
    const { pin, identity, random, check } = this.#around;
    const terms = { purpose, chainHead, examples };
    const context = enlistmentContext(terms);
    if (pin.open.manifest.settings.secureAggregation === null) {
      const name = { federation: pin.open.id, round };
      return { enlistment: { ...terms, advertisement: signPlainAdvertisement(name, identity, pin.member, context) }, client: undefined };
    }
    const client = SecAggClient.begin(
      secAggRoundOf(pin.open, round, purpose),
      { ...pin.floors, lastRound: this.number },
      pin.member,
      identity,
      random,
      check,
    );
    return { enlistment: { ...terms, advertisement: client.advertise(context) }, client };
  }

  #require(round: number): ActiveRound {
    const { active } = this;
    if (round === this.number && active !== undefined) return active;
    throw refused(round, round === this.number ? 'this member has left it' : `this member's round is ${this.number}`);
  }

  #secagg(round: number): SecAggClient {
    if (this.#client !== undefined) return this.#client;
    throw refused(round, 'asked for a stage of secure aggregation, which the manifest does not have');
  }

  /**
   * Writes down what is about to be said, and the secure aggregation state that it follows from.
   * @param active Null: the round is over here. @param more Writes in the same transaction.
   */
  #write(round: number, active: Omit<ActiveRound, 'secagg'> | null, more: () => void = () => undefined): void {
    const { state } = this.#around;
    const record: RoundRecord = { round, active: active && { ...active, secagg: this.#client?.toState() ?? null } };
    state.transaction(() => {
      writeRound(state, record);
      more();
    });
    this.#record = record;
  }
}

function refused(round: number, why: string): CutlayerError {
  return new CutlayerError('ROUND_REFUSED', `round ${round}: ${why}; this member sits it out`);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
