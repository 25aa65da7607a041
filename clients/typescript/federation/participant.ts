/**
 * A participant: the running program of a federation's member. It asks the coordinator what to do,
 * checks it and does it. It survives coordinators and gateways that go away, and its own end at any
 * moment: every promise is in its state before it is said.
 */
import { CutlayerError } from '../../../src/errors.js';
import { cryptoRandom, type RandomBytes } from '../../../src/privacy/random.js';
import type { PrivacyStatement } from '../../../src/privacy/statement.js';
import type { FederationApi, Task } from '../../../src/protocol/federation/federation-api.js';
import type { IdentityKey } from '../../../src/protocol/secagg/signature.js';
import { VerifiedSignatures } from '../../../src/protocol/secagg/verified-signatures.js';
import type { Connection } from '../connection/connect.js';
import { type RetryEnvironment, systemEnvironment } from '../connection/retry.js';
import type { Defences } from '../defences/defences.js';
import { recordedDefences } from '../defences/recorded.js';
import type { ClientBundle } from '../model/client-bundle.js';
import { RemoteModel } from '../model/remote-model.js';
import { SplitModel } from '../model/split-model.js';
import { TrainingClient } from '../training/training-client.js';
import { ChainFollower, openChain } from './chain-follower.js';
import type { ChainLog } from './chain-log.js';
import type { LocalData } from './data/local-data.js';
import { federatedAdapter } from './federated-adapter.js';
import { hex } from './identity-file.js';
import { MemberRound } from './member-round.js';
import type { MemberStore } from './member-store.js';
import { OwnLedger } from './own-ledger.js';
import type { ParticipantEvent, ParticipantSummary } from './participant-events.js';
import { Patience } from './patience.js';
import { type AskedFloors, type Pin, pinned } from './pin.js';
import { PromotedVersion } from './promoted-version.js';
import { RoundAnswers } from './round-answers.js';
import { RoundWork } from './round-work.js';
import { SIGN_OF_LIFE_MS, withSignsOfLife } from './sign-of-life.js';

export interface ParticipantOptions {
  readonly api: FederationApi;
  /** Hex id, as the founder has told it. */
  readonly federation: string;
  readonly identity: IdentityKey;
  readonly bundle: ClientBundle;
  /** To the gateway; may be shared. */
  readonly connection: Connection;
  readonly data: LocalData;
  /** What is done to texts' rows before they are sent. Default: nothing. */
  readonly defences?: Defences | undefined;
  /** Closed by {@link Participant.close}. */
  readonly state: MemberStore;
  readonly floors?: AskedFloors | undefined;
  /** Stop after so many decided train rounds with this member's update. Default: at the end. */
  readonly rounds?: number | undefined;
  /** Longest wait for a task. Default 25,000. */
  readonly pollMs?: number | undefined;
  /** Milliseconds between calls while it works; 0: none. Default a minute. */
  readonly signOfLifeMs?: number | undefined;
  /** Steps between local checkpoints. Default 50. */
  readonly checkpointEvery?: number | undefined;
  /** Measure every promoted version on the held-out examples. Default true. */
  readonly evaluateLocally?: boolean | undefined;
  /** Of the data order. Default 0. */
  readonly seed?: number | undefined;
  readonly random?: RandomBytes | undefined;
  /** Signatures found right, which participants of one process may share. Default: its own. */
  readonly signatures?: VerifiedSignatures | undefined;
  readonly environment?: RetryEnvironment | undefined;
  readonly onEvent?: ((event: ParticipantEvent) => void) | undefined;
}

interface Parts {
  readonly pin: Pin;
  readonly chain: ChainLog;
  readonly round: MemberRound;
  readonly ledger: OwnLedger;
  readonly client: TrainingClient;
}

export class Participant {
  readonly #options: ParticipantOptions;
  readonly #environment: RetryEnvironment;
  readonly #parts: Parts;
  readonly #work: RoundWork;
  readonly #promoted: PromotedVersion;
  readonly #follower: ChainFollower;
  readonly #answers: RoundAnswers;
  readonly #patience: Patience;

  private constructor(options: ParticipantOptions, parts: Parts) {
    const { api, data, state, seed = 0, checkpointEvery = 50, random = cryptoRandom, environment = systemEnvironment } = options;
    const { pin, chain, client } = parts;
    const tell = (event: ParticipantEvent) => options.onEvent?.(event);
    this.#options = options;
    this.#environment = environment;
    this.#parts = parts;
    const work = new RoundWork({ api, open: pin.open, chain, data, state, client, seed, checkpointEvery, random, environment, tell });
    const { evaluateLocally = true } = options;
    const defences = recordedDefences(client.model.defences.all);
    const promoted = new PromotedVersion({ chain, work, data, directory: state.directory, defences, evaluateLocally, tell });
    this.#work = work;
    this.#promoted = promoted;
    this.#follower = new ChainFollower({ api, member: pin.member, chain, state, data, promoted, tell });
    const { signOfLifeMs = SIGN_OF_LIFE_MS } = options;
    const atWork = <T>(run: () => Promise<T>): Promise<T> => withSignsOfLife(() => api.broadcasts(chain.length), signOfLifeMs, run);
    this.#answers = new RoundAnswers({ ...parts, work, data, tell, atWork });
    this.#patience = new Patience(environment, tell);
  }

  /**
   * Pins the manifest, or takes up pin and state; checks bundle, gateway and identity against it.
   * @throws CutlayerError MANIFEST_REJECTED, NOT_A_MEMBER, BACKBONE_MISMATCH, ADAPTER_MISMATCH,
   *   ADAPTER_UNSUPPORTED, INVALID_OPTION, BROADCAST_REJECTED, STORE_CORRUPT, IO_ERROR
   */
  static async open(options: ParticipantOptions): Promise<Participant> {
    const { api, state, identity, bundle, connection, data, random = cryptoRandom, signatures = new VerifiedSignatures() } = options;
    const request = { federation: options.federation, publicKey: hex(identity.publicKey), floors: options.floors };
    const pin = await pinned(state, request, () => api.manifest());
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
      defences: options.defences,
    });
    const chain = await openChain(state, pin, data);
    const ledger = OwnLedger.open(state, manifest);
    const round = MemberRound.open({ state, pin, identity, random, check: signatures.verify, api });
    return new Participant(options, { pin, chain, round, ledger, client });
  }

  /** Name on the roster. */
  get member(): string {
    return this.#parts.pin.member;
  }

  /** What this member's own account says; undefined without differential privacy. */
  get privacy(): PrivacyStatement | undefined {
    return this.#parts.ledger.statement(this.#parts.chain.released);
  }

  /**
   * Takes part until the federation is finished or the asked-for rounds are done. The signal ends
   * it between two steps; the next start goes on there.
   * @throws CutlayerError what waiting does not mend: BROADCAST_REJECTED, NOT_A_MEMBER,
   *   SCOPE_MISSING, IO_ERROR …
   */
  async run(signal: AbortSignal = new AbortController().signal): Promise<ParticipantSummary> {
    const { pin, chain, round } = this.#parts;
    const { name, secureAggregation } = pin.open.manifest.settings;
    this.#options.onEvent?.({
      type: 'joined',
      federation: pin.open.id,
      name,
      member: this.member,
      round: round.number,
      version: chain.promoted,
      secureAggregation: secureAggregation !== null,
    });
    this.#promoted.unmeasured = chain.promoted !== undefined;
    const { rounds: wanted = Number.POSITIVE_INFINITY } = this.#options;
    while (!signal.aborted) {
      if (this.#follower.decided >= wanted) return this.#end('rounds', signal);
      try {
        if ((await this.#turn(signal)) === 'finished') return await this.#end('finished', signal);
      } catch (caught) {
        if (signal.aborted) break;
        await this.#patience.waitOut(caught, signal);
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
    const { chain, pin } = this.#parts;
    const { trigger } = pin.open.manifest.settings.rounds;
    await data.refresh(signal);
    const began = this.#environment.now();
    const { counts } = data;
    const known = chain.length;
    const { task, broadcasts, remainingMs } = await api.nextTask(
      {
        waitMs: this.#promoted.unmeasured ? 0 : waitMs,
        broadcastsKnown: known,
        newExamplesReady: trigger.kind === 'newExamples' ? data.newExamplesReady(trigger.count) : counts.training > 0,
        canEvaluate: counts.heldOut > 0,
        done: this.#answers.done,
      },
      signal,
    );
    this.#patience.online();
    if (broadcasts < known) {
      // A coordinator that has forgotten what it said gets no answer.
      this.#patience.waitFor(
        `the coordinator went backwards: it has ${broadcasts} broadcasts, and this member has ${known}; its operator has to put the newest database back`,
      );
      await this.#patience.pause(signal).catch(() => undefined);
      return 'on';
    }
    if (broadcasts > known) await this.#follower.catchUp();
    // Killed between a broadcast and its adapter: the adapter is still to be written.
    else if (!this.#promoted.isWritten) await this.#promoted.write();
    if (task.kind !== 'wait' && task.kind !== 'finished' && !this.#answers.isDone(task)) {
      this.#patience.waitFor('');
      if (!(await this.#answers.answer(task, remainingMs, signal))) await this.#patience.pause(signal).catch(() => undefined);
      return 'on';
    }
    if (this.#isFinished(task)) return 'finished';
    // An end that is not broadcast is none.
    if (task.kind === 'finished') this.#patience.waitFor('the coordinator says that it is over, and has broadcast no end');
    else if (this.#promoted.unmeasured) await this.#promoted.measure(signal);
    else if (task.kind === 'wait') this.#patience.waitFor(task.reason);
    if (chain.length === known) await this.#patience.rest(began, signal);
    return 'on';
  }

  #isFinished({ kind }: Task): boolean {
    const { finished } = this.#parts.chain;
    if (finished === undefined || (kind !== 'finished' && kind !== 'wait')) return false;
    this.#options.onEvent?.({ type: 'finished', reason: finished });
    return true;
  }

  async #end(stopped: 'finished' | 'rounds', signal: AbortSignal): Promise<ParticipantSummary> {
    if (stopped === 'finished') this.#answers.abandon();
    if (this.#promoted.unmeasured) await this.#promoted.measure(signal);
    return this.#summary(stopped);
  }

  #summary(stopped: ParticipantSummary['stopped']): ParticipantSummary {
    const { satOut, bytesUp } = this.#answers;
    const version = this.#parts.chain.promoted;
    const { bytesDown } = this.#work;
    return { stopped, rounds: this.#follower.decided, satOut, version, bytesUp, bytesDown, measured: this.#promoted.measured };
  }
}
