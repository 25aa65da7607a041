/**
 * One member in one round: its answers to the stages. Every answer is written down before it is given, and a round once left is never entered again. What the
 * coordinator asks is held against the pinned manifest, the member's floors and the chain before it is answered.
 */
import { createHash } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';
import type { RandomBytes } from '../../../src/privacy/random.js';
import { type Enlistment, enlistmentContext, type RoundPurpose } from '../../../src/protocol/federation/enlistment.js';
import type { FederationApi, Task } from '../../../src/protocol/federation/federation-api.js';
import { secAggRoundOf } from '../../../src/protocol/federation/round-mechanism.js';
import { SecAggClient } from '../../../src/protocol/secagg/client.js';
import { signPlainAdvertisement } from '../../../src/protocol/secagg/messages.js';
import type { IdentityKey, Verify } from '../../../src/protocol/secagg/signature.js';
import { requireCohort } from './cohort-check.js';
import { TRAINING_FILE } from './local-training.js';
import type { Pin } from './pin.js';
import type { RoundPayload } from './round-payload.js';
import { type ActiveRound, PAYLOAD_FILE, type RoundRecord, readRound, writeRound } from './round-record.js';
import type { StateStore } from './state-store.js';

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

/** What answers need besides the round itself. */
export interface RoundSurroundings {
  readonly state: StateStore;
  readonly pin: Pin;
  readonly identity: IdentityKey;
  readonly random: RandomBytes;
  /** Checks signatures. Default: each is checked each time. */
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

  /** Goes on from what is written down. @throws CutlayerError IO_ERROR, INVALID_CONFIG when it is broken */
  static async open(around: RoundSurroundings): Promise<MemberRound> {
    const record = await readRound(around.state);
    // Whoever is killed while it leaves a round has written that down first, and the rest is done now.
    if (record !== undefined && record.active === null) await around.state.remove(PAYLOAD_FILE);
    return new MemberRound(around, record);
  }

  /** The newest round that was begun; 0: none. */
  get number(): number {
    return this.#record?.round ?? 0;
  }

  /** What has been said in it; undefined when it is over. */
  get active(): ActiveRound | undefined {
    return this.#record?.active ?? undefined;
  }

  /** Enters a round, or repeats the entry. @throws CutlayerError ROUND_REFUSED for a round that was begun before, or on other terms */
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
      await state.remove(PAYLOAD_FILE);
      this.#client = client;
      await this.#write({
        round: entry.round,
        active: { purpose, version, promoted, clipNorm, enlistment, cohort: null, secagg: client?.toState() ?? null, payloadDigest: null },
      });
    }
    await api.enlist(entry.round, this.#require(entry.round).enlistment);
  }

  /** @param knows whether this member has an announcement of that hash @throws CutlayerError ROUND_REFUSED, CHAIN_FORKED, SECAGG_REFUSED */
  async shareKeys({ round, cohort }: Extract<Task, { kind: 'shareKeys' }>, knows: (hash: string) => boolean): Promise<void> {
    const active = this.#require(round);
    const { pin, api, check } = this.#around;
    const client = this.#secagg(round);
    requireCohort(cohort, { pin, round, enlistment: active.enlistment, check, knows });
    const shares = client.shareKeys(
      cohort.map(({ advertisement }) => advertisement),
      new Map(pin.open.manifest.members.map(({ name, publicKey }) => [name, new Uint8Array(Buffer.from(publicKey, 'hex'))])),
    );
    await this.#write({ round, active: { ...active, cohort: cohort.length, secagg: client.toState() } });
    await api.shareKeys(round, shares);
  }

  /**
   * Submits what `make` gives, or what was submitted before.
   * @param make trains or measures; told the size of the cohort @param spend writes the cost down, before anything leaves
   * @returns bytes, and whether they are those of before
   */
  async submit(
    task: Extract<Task, { kind: 'submit' }>,
    knows: (hash: string) => boolean,
    make: (active: ActiveRound, cohort: number) => Promise<RoundPayload>,
    spend: (active: ActiveRound, cohort: number) => Promise<void>,
  ): Promise<{ readonly bytes: number; readonly again: boolean }> {
    const { round } = task;
    const { state, api, pin, check } = this.#around;
    const again = this.#require(round).payloadDigest !== null;
    if (!again) {
      const before = this.#require(round);
      const secret = pin.open.manifest.settings.secureAggregation !== null;
      if (!secret) requireCohort(task.cohort, { pin, round, enlistment: before.enlistment, check, knows });
      const cohort = secret ? before.cohort : task.cohort.length;
      if (cohort === null) throw refused(round, 'asked for an update before any keys were shared');
      const payload = await make(before, cohort);
      const bytes = this.#sealed(task, payload);
      await state.write(PAYLOAD_FILE, bytes);
      await spend(before, cohort);
      await this.#write({ round, active: { ...before, cohort, secagg: this.#client?.toState() ?? null, payloadDigest: digest(bytes) } });
    }
    const bytes = await state.read(PAYLOAD_FILE);
    if (bytes === undefined || digest(bytes) !== this.#require(round).payloadDigest)
      throw refused(round, `${PAYLOAD_FILE} is not what was submitted first, and nothing else may be`);
    await api.submit(round, bytes);
    return { bytes: bytes.length, again };
  }

  /** @throws CutlayerError SECAGG_REFUSED */
  async confirm({ round, survivors }: Extract<Task, { kind: 'confirm' }>): Promise<void> {
    const active = this.#require(round);
    const client = this.#secagg(round);
    const confirmation = client.confirm(survivors);
    await this.#write({ round, active: { ...active, secagg: client.toState() } });
    await this.#around.api.confirm(round, confirmation);
  }

  /** @throws CutlayerError SECAGG_REFUSED */
  async unmask({ round, confirmations }: Extract<Task, { kind: 'unmask' }>): Promise<void> {
    const active = this.#require(round);
    const client = this.#secagg(round);
    const revealed = client.unmask(confirmations);
    await this.#write({ round, active: { ...active, secagg: client.toState() } });
    await this.#around.api.unmask(round, revealed);
  }

  /** Ends the round for this member: its secrets are deleted, and nothing of it is answered any more. @param round may be one that was never begun */
  async leave(round: number, { keepTraining }: { readonly keepTraining: boolean }): Promise<void> {
    if (round < this.number) return;
    this.#client = undefined;
    await this.#write({ round, active: null });
    await this.#around.state.remove(PAYLOAD_FILE);
    if (!keepTraining) await this.#around.state.remove(TRAINING_FILE);
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

  #sealed({ round, inbox }: Extract<Task, { kind: 'submit' }>, payload: RoundPayload): Uint8Array {
    const values = payload.kind === 'plain' ? payload.values : this.#secagg(round).mask(inbox, payload.ring);
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
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

  async #write(record: RoundRecord): Promise<void> {
    await writeRound(this.#around.state, record);
    this.#record = record;
  }
}

function refused(round: number, why: string): CutlayerError {
  return new CutlayerError('ROUND_REFUSED', `round ${round}: ${why}; this member sits it out`);
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
