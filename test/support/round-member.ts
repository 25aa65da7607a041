/**
 * A member with real keys and masks. It records its answers: a repeated task gets the same bytes.
 */
import { createHash } from 'node:crypto';
import { encodeDistributed } from '../../src/privacy/distributed.js';
import { broadcastHash } from '../../src/protocol/federation/chain.js';
import { type EnlistmentTerms, enlistmentContext, type RoundPurpose } from '../../src/protocol/federation/enlistment.js';
import {
  type FederationApi,
  type RoundStage,
  stageOfTask,
  type Task,
  type TaskRequest,
} from '../../src/protocol/federation/federation-api.js';
import type { OpenManifest } from '../../src/protocol/federation/manifest.js';
import { hasClipBit, weightFactor } from '../../src/protocol/federation/payload.js';
import { initialClipNorm, roundArithmetic, secAggRoundOf } from '../../src/protocol/federation/round-mechanism.js';
import { SecAggClient } from '../../src/protocol/secagg/client.js';
import { scaleOf, stochasticRound, toRing } from '../../src/protocol/secagg/fixed-point.js';
import { signPlainAdvertisement } from '../../src/protocol/secagg/messages.js';
import type { IdentityKey } from '../../src/protocol/secagg/signature.js';
import { seededBytes } from '../../src/protocol/secagg/stream.js';

/** What a member gives into a round. */
export type PayloadOf = (purpose: RoundPurpose, round: number, version: number) => Float32Array;

/** A stage is one answer, written down before it is sent. */
type Answer = (api: FederationApi) => Promise<void>;

interface OwnRound {
  readonly round: number;
  readonly purpose: RoundPurpose;
  readonly version: number;
  readonly terms: EnlistmentTerms;
  readonly secure: SecAggClient | null;
  cohort: number;
}

/** See the module's header. */
export class RoundMember {
  readonly name: string;
  readonly examples: number;
  readonly #manifest: OpenManifest;
  readonly #identity: IdentityKey;
  readonly #payloadOf: PayloadOf;
  readonly #answers = new Map<string, Answer>();
  #round: OwnRound | undefined;
  #done: TaskRequest['done'] = null;
  /** Asked before each answer; true: the member is silent from there on. */
  silentAt: (round: number, stage: RoundStage) => boolean = () => false;
  canEvaluate = true;
  newExamplesReady = false;

  constructor(manifest: OpenManifest, name: string, identity: IdentityKey, payloadOf: PayloadOf, examples = 1) {
    this.name = name;
    this.examples = examples;
    this.#manifest = manifest;
    this.#identity = identity;
    this.#payloadOf = payloadOf;
  }

  request(waitMs = 0): TaskRequest {
    const { newExamplesReady, canEvaluate } = this;
    return { waitMs, broadcastsKnown: 1_000_000, newExamplesReady, canEvaluate, done: this.#done };
  }

  /** Asks for a task and does it. */
  async step(api: FederationApi): Promise<Task> {
    const { task } = await api.nextTask(this.request());
    await this.perform(api, task);
    return task;
  }

  async perform(api: FederationApi, task: Task): Promise<void> {
    if (task.kind === 'wait' || task.kind === 'finished') return;
    const stage = stageOfTask[task.kind];
    if (this.silentAt(task.round, stage)) return;
    const key = `${task.round}/${stage}`;
    if (!this.#answers.has(key)) this.#answers.set(key, await this.#answer(api, task));
    await this.#answers.get(key)!(api);
    this.#done = { round: task.round, stage };
  }

  async #answer(api: FederationApi, task: Exclude<Task, { kind: 'wait' | 'finished' }>): Promise<Answer> {
    const { round } = task;
    if (task.kind === 'enlist') return this.#enlist(api, task);
    const own = this.#round;
    if (own?.round !== round) throw new Error(`${this.name} is not in round ${round}`);
    switch (task.kind) {
      case 'shareKeys': {
        own.cohort = task.cohort.length;
        const roster = new Map(this.#manifest.manifest.members.map(({ name, publicKey }) => [name, Buffer.from(publicKey, 'hex')]));
        const shares = own.secure!.shareKeys(
          task.cohort.map(({ advertisement }) => advertisement),
          roster,
        );
        return (to) => to.shareKeys(round, shares);
      }
      case 'submit': {
        const payload = this.#payload(own, task);
        return (to) => to.submit(round, payload);
      }
      case 'confirm': {
        const confirmation = own.secure!.confirm(task.survivors);
        return (to) => to.confirm(round, confirmation);
      }
      case 'unmask': {
        const revealed = own.secure!.unmask(task.confirmations);
        return (to) => to.unmask(round, revealed);
      }
    }
  }

  async #enlist(api: FederationApi, { round, purpose, version }: Extract<Task, { kind: 'enlist' }>): Promise<Answer> {
    const { id, manifest } = this.#manifest;
    let chainHead = '';
    for (let from = 0, broadcasts = await api.broadcasts(0); broadcasts.length > 0; broadcasts = await api.broadcasts(from)) {
      from += broadcasts.length;
      chainHead = broadcastHash(broadcasts.at(-1)!.bytes);
    }
    const weighted = purpose === 'train' && manifest.settings.weights.kind === 'examples';
    const terms: EnlistmentTerms = { purpose, chainHead, examples: weighted ? this.examples : 1 };
    const context = enlistmentContext(terms);
    const secure =
      manifest.settings.secureAggregation === null
        ? null
        : SecAggClient.begin(
            secAggRoundOf(this.#manifest, round, purpose),
            { minCohort: manifest.settings.cohort.min, minThreshold: 2, minSurvivors: 3, lastRound: this.#round?.round ?? 0 },
            this.name,
            this.#identity,
            this.#random(round, 'keys'),
          );
    const advertisement =
      secure === null ? signPlainAdvertisement({ federation: id, round }, this.#identity, this.name, context) : secure.advertise(context);
    this.#round = { round, purpose, version, terms, secure, cohort: 0 };
    return (to) => to.enlist(round, { ...terms, advertisement });
  }

  #payload(own: OwnRound, task: Extract<Task, { kind: 'submit' }>): Uint8Array {
    const { manifest } = this.#manifest;
    const values = this.#payloadOf(own.purpose, own.round, own.version);
    const cohort = own.secure === null ? task.cohort.length : own.cohort;
    const clipNorm = own.purpose === 'train' ? initialClipNorm(manifest) : null;
    const arithmetic = roundArithmetic(manifest, own.purpose, { cohort, clipNorm });
    const random = this.#random(own.round, 'payload');
    if (arithmetic.kind === 'plain') return bytes(values);
    const bits = own.purpose === 'train' && hasClipBit({ settings: manifest.settings }) ? 1 : 0;
    const integers =
      arithmetic.kind === 'distributed'
        ? encodeDistributed(arithmetic.plan, values.subarray(0, values.length - bits), bits === 1 ? values.at(-1) : undefined, random)
        : stochasticRound(
            values.map((value) => value * weightFactor(manifest, own.terms)),
            scaleOf(arithmetic.fixedPoint),
            random,
          );
    const ring = toRing(integers, manifest.settings.secureAggregation!.bits);
    return bytes(own.secure!.mask(task.inbox, ring));
  }

  /** The same for the same member, round and purpose. */
  #random(round: number, what: string) {
    return seededBytes(createHash('sha256').update(`${this.name} ${round} ${what}`).digest());
  }
}

const bytes = ({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
