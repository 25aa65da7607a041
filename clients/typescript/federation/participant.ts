/**
 * A member of a federation at work: asks the coordinator what to do, checks it, does it, and goes on for as long as there is something to do. It outlives
 * coordinators and gateways that go away, and its own end at any moment: everything it has promised is in its state before it is said.
 */

import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { cryptoRandom, type RandomBytes } from '../../../src/privacy/random.js';
import type { PrivacyStatement } from '../../../src/privacy/statement.js';
import type { Broadcast } from '../../../src/protocol/federation/chain.js';
import type { FederationApi, RoundStage, Task, TaskAnswer } from '../../../src/protocol/federation/federation-api.js';
import { privacyEventOf } from '../../../src/protocol/federation/round-mechanism.js';
import type { IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { VerifiedSignatures } from '../../../src/protocol/secagg/verified-signatures.js';
import type { Connection } from '../connection/connect.js';
import { mayRepeat, type RetryEnvironment, retryDelayMs, systemEnvironment } from '../connection/retry.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { RemoteModel } from '../model/remote-model.js';
import { SplitModel } from '../model/split-model.js';
import { TrainingClient } from '../training/training-client.js';
import { ChainLog } from './chain-log.js';
import { cutoffSignal } from './cutoff.js';
import type { LocalData } from './data/local-data.js';
import { federatedAdapter } from './federated-adapter.js';
import { hex } from './identity-file.js';
import { keepMoments } from './local-training.js';
import { MemberRound } from './member-round.js';
import { OwnLedger } from './own-ledger.js';
import type { ParticipantEvent, ParticipantSummary } from './participant-events.js';
import { type Floors, type Pin, pinned } from './pin.js';
import type { ActiveRound } from './round-record.js';
import { RoundWork } from './round-work.js';
import type { StateStore } from './state-store.js';
import { writeVersion } from './version-files.js';

/** Whose data is trained on, where, and for whom. */
export interface ParticipantOptions {
  readonly api: FederationApi;
  /** Hex id, as the founder has told it. */
  readonly federation: string;
  readonly identity: IdentityKey;
  readonly bundle: ClientBundle;
  /** To the gateway; may be shared. */
  readonly connection: Connection;
  readonly data: LocalData;
  /** Closed by {@link Participant.close}. */
  readonly state: StateStore;
  readonly floors?: Partial<Floors> | undefined;
  /** Stop after so many train rounds with this member's update have been decided upon. Default: when the federation is finished. */
  readonly rounds?: number | undefined;
  /** Longest wait for a task. Default 25,000. */
  readonly pollMs?: number | undefined;
  /** Steps between local checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
  /** Measure every promoted version on the held-out examples. Default true. */
  readonly evaluateLocally?: boolean | undefined;
  /** Of the data order. Default 0. */
  readonly seed?: number | undefined;
  readonly random?: RandomBytes | undefined;
  /** Signatures that were found right. Default: this participant's own; participants of one process may share them. */
  readonly signatures?: VerifiedSignatures | undefined;
  readonly environment?: RetryEnvironment | undefined;
  readonly onEvent?: ((event: ParticipantEvent) => void) | undefined;
}

/** The coordinator may come back, or a token may be renewed: what a participant that runs for days waits for. */
const passing: readonly ErrorCode[] = ['DEADLINE_EXCEEDED', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'CERTIFICATE_REJECTED', 'INTERNAL'];
/** Nothing that comes later can be believed or used, or this machine cannot keep its promises. */
const fatal: readonly ErrorCode[] = [
  'BROADCAST_REJECTED',
  'MANIFEST_REJECTED',
  'NOT_A_MEMBER',
  'SCOPE_MISSING',
  'TOKEN_MISSING',
  'IO_ERROR',
];

const stageOf = { enlist: 'enlisting', shareKeys: 'sharing', submit: 'submitting', confirm: 'confirming', unmask: 'unmasking' } as const;
type StageTask = Extract<Task, { readonly kind: keyof typeof stageOf }>;

/** A task that comes sooner than this although there is nothing to do would keep a processor busy. */
const LEAST_WAIT_MS = 500;

/** A participant. */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #environment: RetryEnvironment;
  readonly #pin: Pin;
  readonly #chain: ChainLog;
  readonly #round: MemberRound;
  readonly #ledger: OwnLedger;
  readonly #work: RoundWork;
  #done: { readonly round: number; readonly stage: RoundStage } | null = null;
  #waitingFor = '';
  /** Version in `adapter/`, as far as this process knows. */
  #written: number | undefined;
  #failures = 0;
  #unmeasured = false;
  readonly #undecided = new Set<number>();
  readonly #measured = new Map<number, ParticipantSummary['measured'][number]>();
  #rounds = 0;
  #satOut = 0;
  #bytesUp = 0;

  private constructor(
    options: ParticipantOptions,
    parts: {
      readonly pin: Pin;
      readonly chain: ChainLog;
      readonly round: MemberRound;
      readonly ledger: OwnLedger;
      readonly client: TrainingClient;
    },
  ) {
    const { pin, chain, round, ledger, client } = parts;
    this.#options = options;
    this.#environment = options.environment ?? systemEnvironment;
    this.#pin = pin;
    this.#chain = chain;
    this.#round = round;
    this.#ledger = ledger;
    const { api, data, state, seed = 0, checkpointEvery = 50, random = cryptoRandom } = options;
    this.#work = new RoundWork({
      api,
      open: pin.open,
      chain,
      data,
      state,
      client,
      seed,
      checkpointEvery,
      random,
      environment: this.#environment,
      tell: (event) => this.#tell(event),
    });
    if (round.number > 0 && round.active === undefined) this.#done = { round: round.number, stage: 'unmasking' };
  }

  /**
   * Pins the manifest, or takes up the pin; checks that bundle, gateway and identity are those of the federation; and takes up what the state holds.
   * @throws CutlayerError MANIFEST_REJECTED, NOT_A_MEMBER, BACKBONE_MISMATCH, ADAPTER_MISMATCH, ADAPTER_UNSUPPORTED, INVALID_OPTION, BROADCAST_REJECTED, IO_ERROR
   */
  static async open(options: ParticipantOptions): Promise<Participant> {
    const { api, state, identity, bundle, connection, data, random = cryptoRandom, signatures = new VerifiedSignatures() } = options;
    const pin = await pinned(state, { federation: options.federation, publicKey: hex(identity.publicKey), floors: options.floors }, () =>
      api.manifest(),
    );
    const { manifest } = pin.open;
    const { backboneDigest } = bundle.identity;
    if (backboneDigest !== manifest.backboneDigest) {
      throw new CutlayerError(
        'BACKBONE_MISMATCH',
        `the client bundle in ${bundle.dir} belongs to backbone ${backboneDigest.slice(0, 12)}, the federation ${manifest.settings.name} to ${manifest.backboneDigest.slice(0, 12)}; ` +
          'get the client bundle that the federation was made with',
      );
    }
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const adapter = await federatedAdapter({ bundle, keyValues: (tokenIds) => model.keyValues(tokenIds) }, manifest);
    const { learningRate, weightDecay, maxGradNorm } = manifest.settings.training;
    const client = new TrainingClient(bundle, connection, adapter, {
      learningRate,
      optimizer: { weightDecay },
      maxGradNorm: maxGradNorm ?? undefined,
    });
    const chain = await ChainLog.open(state, pin.open, async (broadcast) => {
      await data.observe(broadcast, pin.member);
      if (broadcast.kind === 'aggregate' && broadcast.participants.includes(pin.member)) await keepMoments(state, broadcast.round);
    });
    const ledger = await OwnLedger.open(state, manifest);
    const round = await MemberRound.open({ state, pin, identity, random, check: signatures.verify, api });
    return new Participant(options, { pin, chain, round, ledger, client });
  }

  /** Name on the roster. */
  get member(): string {
    return this.#pin.member;
  }

  /** The pinned manifest. */
  get manifest(): Pin['open'] {
    return this.#pin.open;
  }

  /** What this member's own account says; undefined without differential privacy. */
  get privacy(): PrivacyStatement | undefined {
    return this.#ledger.statement(this.#chain.released);
  }

  /**
   * Takes part until the federation is finished, the asked-for rounds are done, or the signal comes: then between two steps, and what was begun goes on at the
   * next start.
   * @throws CutlayerError what cannot be waited out: BROADCAST_REJECTED, NOT_A_MEMBER, SCOPE_MISSING, IO_ERROR …
   */
  async run(signal: AbortSignal = new AbortController().signal): Promise<ParticipantSummary> {
    const { settings } = this.#pin.open.manifest;
    this.#tell({
      type: 'joined',
      federation: this.#pin.open.id,
      name: settings.name,
      member: this.member,
      round: this.#round.number,
      version: this.#chain.promoted,
      secureAggregation: settings.secureAggregation !== null,
    });
    this.#unmeasured = this.#chain.promoted !== undefined;
    while (!signal.aborted) {
      if (this.#rounds >= (this.#options.rounds ?? Number.POSITIVE_INFINITY)) return this.#end('rounds', signal);
      try {
        if ((await this.#turn(signal)) === 'finished') return await this.#end('finished', signal);
      } catch (caught) {
        if (signal.aborted) break;
        await this.#waitOut(CutlayerError.from(caught), signal);
      }
    }
    return this.#summary('cancelled');
  }

  /** Frees the state. */
  async close(): Promise<void> {
    await this.#options.state.close();
  }

  async #turn(signal: AbortSignal): Promise<'on' | 'finished'> {
    const { api, data, pollMs: waitMs = 25_000 } = this.#options;
    const { trigger } = this.#pin.open.manifest.settings.rounds;
    await data.refresh(signal);
    const began = this.#environment.now();
    const { counts } = data;
    const known = this.#chain.length;
    const answer = await api.nextTask(
      {
        waitMs: this.#unmeasured ? 0 : waitMs,
        broadcastsKnown: known,
        newExamplesReady: trigger.kind === 'newExamples' ? data.newExamplesReady(trigger.count) : counts.training > 0,
        canEvaluate: counts.heldOut > 0,
        done: this.#done,
      },
      signal,
    );
    if (this.#failures > 0) this.#tell({ type: 'online' });
    this.#failures = 0;
    if (answer.broadcasts > known) await this.#catchUp();
    // Whoever was killed between an announcement and its adapter has the adapter still to write.
    else if (this.#chain.promoted !== this.#written) await this.#writeAdapter();
    const { task } = answer;
    const { finished } = this.#chain;
    if (finished !== undefined && (task.kind === 'finished' || task.kind === 'wait')) {
      this.#tell({ type: 'finished', reason: finished });
      return 'finished';
    }
    // The end is announced to everybody, or it is not the end.
    if (task.kind === 'finished') {
      this.#waitFor('the coordinator says that it is over, and has announced no end');
      return this.#rest(began, known, signal);
    }
    if (task.kind !== 'wait' && !this.#isDone(task)) {
      await this.#answer(task, answer, signal);
      return 'on';
    }
    if (this.#unmeasured) await this.#measurePromoted(signal);
    else if (task.kind === 'wait') this.#waitFor(task.reason);
    return this.#rest(began, known, signal);
  }

  #waitFor(reason: string): void {
    if (reason === this.#waitingFor) return;
    this.#waitingFor = reason;
    this.#tell({ type: 'waiting', reason });
  }

  /** With nothing to do: not at once again. */
  async #rest(began: number, known: number, signal: AbortSignal): Promise<'on'> {
    const took = this.#environment.now() - began;
    if (took < LEAST_WAIT_MS && this.#chain.length === known)
      await this.#environment.sleep(LEAST_WAIT_MS * (0.5 + this.#environment.random()), signal);
    return 'on';
  }

  /** Whether the task was answered or given up. */
  #isDone(task: Task): boolean {
    if (task.kind === 'wait' || task.kind === 'finished' || this.#done === null) return false;
    const order = Object.values(stageOf);
    return task.round === this.#done.round && order.indexOf(stageOf[task.kind]) <= order.indexOf(this.#done.stage);
  }

  async #answer(task: StageTask, { remainingMs }: TaskAnswer, signal: AbortSignal): Promise<void> {
    const { round } = task;
    const stage = stageOf[task.kind];
    this.#waitingFor = '';
    const cutoff = cutoffSignal(remainingMs);
    const either = cutoff === undefined ? signal : AbortSignal.any([signal, cutoff]);
    try {
      await this.#stage(task, remainingMs, either);
      if (task.kind === 'unmask' || (task.kind === 'submit' && this.#pin.open.manifest.settings.secureAggregation === null)) {
        const purpose = this.#round.active?.purpose ?? 'train';
        await this.#round.leave(round, { keepTraining: true });
        this.#done = { round, stage: 'unmasking' };
        this.#tell({ type: 'answered', round, purpose });
      } else this.#done = { round, stage };
    } catch (caught) {
      const error =
        cutoff?.aborted && !signal.aborted
          ? new CutlayerError('ROUND_CLOSED', `round ${round}: not done before the cutoff`)
          : CutlayerError.from(caught);
      // What passes is waited out, and the same stage answered again.
      if (signal.aborted || fatal.includes(error.code) || isPassing(error)) throw error;
      await this.#sitOut(round, error, signal);
    }
  }

  async #stage(task: StageTask, remainingMs: number, signal: AbortSignal): Promise<void> {
    const { round } = task;
    const knows = (hash: string): boolean => this.#chain.knows(hash);
    if (task.kind === 'enlist') return this.#enlist(task, remainingMs);
    const cohort =
      'cohort' in task && task.cohort.length > 0
        ? { cohort: task.cohort.map(({ advertisement }) => advertisement.participant).sort() }
        : {};
    this.#tell({ type: 'stage', round, stage: stageOf[task.kind], remainingMs, ...cohort });
    switch (task.kind) {
      case 'shareKeys':
        return this.#round.shareKeys(task, knows);
      case 'confirm':
        return this.#round.confirm(task);
      case 'unmask':
        return this.#round.unmask(task);
      case 'submit': {
        const make = (active: ActiveRound, members: number) =>
          active.purpose === 'train' ? this.#work.train(round, active, members, signal) : this.#work.measureBoth(active, members, signal);
        const cost = ({ purpose, clipNorm }: ActiveRound, members: number) =>
          privacyEventOf(this.#pin.open.manifest, purpose, { cohort: members, clipNorm });
        const { bytes, again } = await this.#round.submit(task, knows, make, async (active, members) => {
          const event = cost(active, members);
          this.#ledger.require(round, event, this.#chain.released);
          await this.#ledger.spend(round, event);
        });
        this.#bytesUp += bytes;
        this.#tell({ type: 'submitted', round, purpose: this.#round.active?.purpose ?? 'train', bytes, again });
      }
    }
  }

  async #enlist({ round, purpose, version, promoted }: Extract<Task, { kind: 'enlist' }>, remainingMs: number): Promise<void> {
    const { data } = this.#options;
    const { manifest } = this.#pin.open;
    const refuse = (why: string): CutlayerError => new CutlayerError('ROUND_REFUSED', `round ${round}: ${why}; this member sits it out`);
    const { headHash: chainHead } = this.#chain;
    if (chainHead === undefined) throw refuse('nothing has been announced yet');
    if (promoted !== this.#chain.promoted)
      throw refuse(`it is told that version ${promoted} is promoted, but announced was ${this.#chain.promoted}`);
    if (purpose === 'train' && version !== promoted)
      throw refuse(`it is told to train from version ${version}, but ${promoted} is the promoted one`);
    if (purpose === 'evaluate' && version !== this.#chain.candidate)
      throw refuse(`it is told to measure version ${version}, which is no candidate`);
    if (purpose === 'evaluate' && manifest.settings.evaluation === null) throw refuse('the manifest has no evaluate rounds');
    const resumed = this.#round.number === round && this.#round.active !== undefined;
    const clipNorm = purpose === 'train' ? this.#chain.clipNorm : null;
    // The smallest cohort has the least noise for each; the round's own is checked again before anything leaves.
    this.#ledger.require(
      round,
      privacyEventOf(manifest, purpose, { cohort: manifest.settings.cohort.min, clipNorm }),
      this.#chain.released,
    );
    let examples = 1;
    if (purpose === 'train') {
      const found = (await data.roundExamples(round, version)).examples.length;
      if (found === 0)
        throw new CutlayerError('INVALID_DATA', `round ${round}: there are no examples to train on; this member sits it out`);
      const { weights } = manifest.settings;
      if (weights.kind === 'examples') examples = Math.min(found, weights.maxExamples);
      if (!resumed) this.#tell({ type: 'round', round, purpose, version, examples: found, resumed });
    } else {
      const found = data.heldOut(promoted).current.length;
      if (found === 0)
        throw new CutlayerError('INVALID_DATA', `round ${round}: there are no held-out examples to measure on; this member sits it out`);
      if (!resumed) this.#tell({ type: 'round', round, purpose, version, examples: found, resumed });
    }
    this.#tell({ type: 'stage', round, stage: 'enlisting', remainingMs });
    await this.#round.enlist({ round, purpose, version, promoted, clipNorm, chainHead, examples });
  }

  async #sitOut(round: number, { code, message }: CutlayerError, signal: AbortSignal): Promise<void> {
    // A replayed round is no round to leave: the one under way goes on.
    if (round >= this.#round.number) {
      await this.#round.leave(round, { keepTraining: false });
      this.#done = { round, stage: 'unmasking' };
    }
    this.#satOut += 1;
    this.#tell({ type: 'satOut', round, code, message });
    // Rounds that are declined as fast as they are offered would keep a processor busy.
    await this.#environment.sleep(LEAST_WAIT_MS * (0.5 + this.#environment.random()), signal).catch(() => undefined);
  }

  /** Fetches what has been announced, checks it, and acts on it. @throws CutlayerError BROADCAST_REJECTED */
  async #catchUp(): Promise<void> {
    const { api, data, state } = this.#options;
    for (;;) {
      const links = await api.broadcasts(this.#chain.length);
      if (links.length === 0) return;
      const before = this.#chain.promoted;
      const news: Broadcast[] = [];
      for (const signed of links) {
        const broadcast = await this.#chain.add(signed);
        news.push(broadcast);
        await data.observe(broadcast, this.member);
        if (broadcast.kind === 'aggregate' && broadcast.participants.includes(this.member)) {
          await keepMoments(state, broadcast.round);
          this.#undecided.add(broadcast.version);
        }
      }
      // Only the newest of several promotions is worth fetching.
      const adapterDir = this.#chain.promoted === before ? undefined : await this.#writeAdapter();
      for (const broadcast of news) this.#announce(broadcast, adapterDir);
      if (this.#chain.promoted !== before) this.#unmeasured = true;
    }
  }

  #announce(broadcast: Broadcast, adapterDir: string | undefined): void {
    switch (broadcast.kind) {
      case 'aggregate': {
        const { round, version, participants } = broadcast;
        this.#tell({ type: 'aggregate', round, version, participants, own: participants.includes(this.member) });
        return;
      }
      case 'promote':
      case 'reject': {
        const { version } = broadcast;
        const cohort = broadcast.candidate?.current;
        if (this.#undecided.delete(version)) this.#rounds += 1;
        if (broadcast.kind === 'promote') this.#tell({ type: 'promoted', version, cohort, adapterDir });
        else this.#tell({ type: 'rejected', version, cohort, promoted: broadcast.promoted?.current });
        return;
      }
      case 'rollback':
        this.#tell({ type: 'rolledBack', version: broadcast.version, from: broadcast.from, adapterDir });
        return;
      default:
        return;
    }
  }

  async #writeAdapter(): Promise<string | undefined> {
    const { directory } = this.#options.state;
    const { promoted } = this.#chain;
    if (directory === undefined || promoted === undefined) {
      this.#written = promoted;
      return undefined;
    }
    const dir = await writeVersion(directory, promoted, await this.#work.use(promoted));
    this.#written = promoted;
    return dir;
  }

  /** For the person who runs this: how good the promoted version is here. */
  async #measurePromoted(signal: AbortSignal): Promise<void> {
    const { promoted } = this.#chain;
    const { data, evaluateLocally = true } = this.#options;
    this.#unmeasured = false;
    if (promoted === undefined || !evaluateLocally || this.#measured.has(promoted)) return;
    try {
      if (this.#work.measuredBefore(promoted) === undefined && data.heldOut(promoted).current.length > 0)
        await this.#work.measure(promoted, promoted, signal);
    } catch (caught) {
      const error = CutlayerError.from(caught);
      this.#unmeasured = isPassing(error);
      if (signal.aborted || isPassing(error) || error.code === 'DIGEST_MISMATCH') throw error;
      this.#tell({ type: 'unmeasured', version: promoted, code: error.code, message: error.message });
      return;
    }
    const metrics = this.#work.measuredBefore(promoted);
    if (metrics !== undefined) this.#measured.set(promoted, { version: promoted, ...metrics });
  }

  /** Waits and lets the loop try again; throws what waiting does not mend. */
  async #waitOut(error: CutlayerError, signal: AbortSignal): Promise<void> {
    if (!isPassing(error)) throw error;
    this.#failures += 1;
    const delayMs = retryDelayMs(this.#failures, { initialDelayMs: 1000, maxDelayMs: 60_000 }, this.#environment.random);
    const { code, message } = error;
    this.#tell({ type: 'offline', code, message, delayMs });
    await this.#environment.sleep(delayMs, signal).catch(() => undefined);
  }

  async #end(stopped: 'finished' | 'rounds', signal: AbortSignal): Promise<ParticipantSummary> {
    if (stopped === 'finished' && this.#round.active !== undefined) await this.#round.leave(this.#round.number, { keepTraining: false });
    if (this.#unmeasured) await this.#measurePromoted(signal);
    return this.#summary(stopped);
  }

  #summary(stopped: ParticipantSummary['stopped']): ParticipantSummary {
    return {
      stopped,
      rounds: this.#rounds,
      satOut: this.#satOut,
      version: this.#chain.promoted,
      bytesUp: this.#bytesUp,
      bytesDown: this.#work.bytesDown,
      measured: [...this.#measured.values()],
    };
  }

  #tell(event: ParticipantEvent): void {
    this.#options.onEvent?.(event);
  }
}

function isPassing(error: CutlayerError): boolean {
  return mayRepeat(error) || passing.includes(error.code);
}
