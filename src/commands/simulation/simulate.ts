/**
 * A whole federation in one process, for research and tests: the real gateway on loopback, the real
 * coordinator and participants. Only transport, time and loss are simulated. All randomness comes
 * from the seed, also keys, masks and noise. So a simulation shows what a federation would learn,
 * and protects nothing.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from 'async-mutex';
import type { Format } from '../../../clients/typescript/data/formats.js';
import { fixedData } from '../../../clients/typescript/federation/data/fixed-data.js';
import { federatedAdapter } from '../../../clients/typescript/federation/federated-adapter.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import { Participant } from '../../../clients/typescript/federation/participant.js';
import { ClientBundle } from '../../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../../clients/typescript/model/split-model.js';
import { openCoordinator } from '../../coordinator/coordinator.js';
import { openDatabase } from '../../coordinator/tables/database.js';
import { CutlayerError } from '../../errors.js';
import { type RoundStage, roundStages } from '../../protocol/federation/federation-api.js';
import { signOrder } from '../../protocol/federation/founder-order.js';
import type { OpenManifest } from '../../protocol/federation/manifest.js';
import { type IdentityKey, identityFromSeed } from '../../protocol/secagg/signature.js';
import { seededBytes } from '../../protocol/secagg/stream.js';
import { VerifiedSignatures } from '../../protocol/secagg/verified-signatures.js';
import { seeded } from '../../tensor/random.js';
import { foundingManifest } from '../coordinator/create-federation.js';
import type { GivenSettings } from '../coordinator/settings-input.js';
import { type LabelRule, readLabelled } from './labelled-data.js';
import { RoundWatch } from './round-watch.js';
import { type Activity, SimulatedConnection } from './simulated-connection.js';
import { type Site, type SplitRule, shareOut, takeTest } from './simulation-data.js';
import { openSimulationGateway } from './simulation-gateway.js';
import type { AbortedRound, SimulationPoint, SimulationSummary } from './simulation-summary.js';
import { VirtualClock } from './virtual-clock.js';

export interface SimulationOptions {
  readonly backbone: string;
  readonly bundle: string;
  /** The public key that must have signed the manifests of both. */
  readonly signer?: string | undefined;
  /** The chat template, by its name, of conversations that name none. */
  readonly chatTemplate?: string | undefined;
  /** A data file, split among the participants. */
  readonly data: string;
  /** A data file, common test. Default: a share of {@link data}. */
  readonly test?: string | undefined;
  /** Of both files. Default `auto`. */
  readonly format?: Format | undefined;
  /** Default 0.1. */
  readonly testShare?: number | undefined;
  /** Of each participant's records, for evaluate rounds. Default 0.1. */
  readonly heldOutShare?: number | undefined;
  readonly participants: number;
  readonly split: SplitRule;
  readonly label?: LabelRule | undefined;
  readonly given: GivenSettings;
  /** Chance per participant and round to vanish, at a random stage. Default 0. */
  readonly dropout?: number | undefined;
  /** Participants that compute at a time. Default 2. */
  readonly concurrency?: number | undefined;
  readonly seed?: number | undefined;
  /** Of the gateway. */
  readonly threads?: number | undefined;
  /** Directory for the simulation's temporary files. */
  readonly out: string;
  readonly signal?: AbortSignal | undefined;
  readonly onPoint?: ((point: SimulationPoint) => void) | undefined;
  /** Called after each round that ended without a result. */
  readonly onAborted?: ((ending: AbortedRound) => void) | undefined;
  /** Called after each submitted update. */
  readonly onSubmitted?: ((round: number, submitted: number, cohort: number) => void) | undefined;
}

/** @throws CutlayerError INVALID_ARGUMENT, INVALID_DATA, INVALID_CONFIG, CANCELLED … */
export async function simulate(options: SimulationOptions): Promise<SimulationSummary> {
  await mkdir(options.out, { recursive: true });
  const scratch = await mkdtemp(join(options.out, '.scratch-'));
  try {
    const gateway = await openSimulationGateway(options.backbone, scratch, options);
    try {
      const { signer, chatTemplate } = options;
      const bundle = await ClientBundle.open(options.bundle, { signer, chatTemplate });
      try {
        return await new Simulation(options, scratch, bundle, new SplitModel(bundle, new RemoteModel(gateway.connection))).run();
      } finally {
        await bundle.close();
      }
    } finally {
      await gateway.close();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Simulated time between a participant's questions: events wake it, so time jumps to them. */
const POLL_MS = 30 * 24 * 3600 * 1000;

/** Real time without activity after which the clock advances. */
const IDLE_MS = 5;

class Simulation {
  readonly #options: SimulationOptions;
  readonly #scratch: string;
  readonly #bundle: ClientBundle;
  readonly #model: SplitModel;
  readonly #seed: number;
  readonly #clock = new VirtualClock();
  readonly #gate: Semaphore;
  /** Shared, so that all participants verify each signature once. */
  readonly #signatures: VerifiedSignatures;
  readonly #activity: Activity = { busy: 0, events: 0 };

  constructor(options: SimulationOptions, scratch: string, bundle: ClientBundle, model: SplitModel) {
    this.#options = options;
    this.#scratch = scratch;
    this.#bundle = bundle;
    this.#model = model;
    this.#seed = options.seed ?? 0;
    this.#gate = new Semaphore(options.concurrency ?? 2);
    this.#signatures = new VerifiedSignatures(4 * options.participants);
  }

  async run(): Promise<SimulationSummary> {
    const { given, participants, signal } = this.#options;
    const names = memberNames(participants);
    const identities = names.map((name) => identityFromSeed(this.#bytes('identity', name)));
    const signingKey = identityFromSeed(this.#bytes('coordinator'));
    const founder = identityFromSeed(this.#bytes('founder'));
    const { open, values } = await foundingManifest({
      given,
      members: names.map((name, at) => ({ name, publicKey: Buffer.from(identities[at]!.publicKey).toString('hex') })),
      bundle: this.#options.bundle,
      founder,
      now: this.#clock.now(),
      coordinatorKey: signingKey.publicKey,
    });
    const adapter = await federatedAdapter({ bundle: this.#bundle }, open.manifest);
    const { sites, test } = await this.#data(adapter);
    const database = await openDatabase(join(this.#scratch, 'coordinator.db'));
    const { now, schedule } = this.#clock;
    const coordinator = await openCoordinator({ database, signingKey, now, schedule, random: this.#random('coordinator') });
    const stop = new AbortController();
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    // Every participant listens to it, in several places.
    setMaxListeners(0, either);
    const connections = names.map((name) => new SimulatedConnection(coordinator.member(open.id, name), name, this.#around()));
    try {
      await coordinator.create(open, values);
      const { onPoint, onAborted } = this.#options;
      const watch = new RoundWatch({ open, coordinator, model: this.#model, adapter, test, connections, onPoint, onAborted });
      const [{ chainHead, orders } = { chainHead: '', orders: 0 }] = await coordinator.status(open.id);
      const start = { kind: 'start' } as const;
      await coordinator.control(open.id, start, signOrder(open.id, start, { number: orders + 1, chainHead }, founder.privateKey));
      const running = names.map((name, at) => this.#participate(open, connections[at]!, identities[at]!, sites[at]!, name, either));
      const ended = Promise.all(running);
      // A failed participant ends the simulation; the others are told and awaited.
      ended.catch(() => stop.abort());
      const stopped = await this.#drive(watch, stop, either);
      stop.abort();
      await ended;
      if (signal?.aborted) throw new CutlayerError('CANCELLED', 'the simulation was cancelled');
      const { split, dropout = 0 } = this.#options;
      const described = split.kind === 'iid' ? 'iid' : `dirichlet, alpha ${split.alpha}`;
      return watch.summary(stopped, sites, { seed: this.#seed, split: described, dropout });
    } finally {
      stop.abort();
      await coordinator.close();
      await database.close();
    }
  }

  async #data(adapter: {
    readonly numVirtualTokens: number;
  }): Promise<{ readonly sites: readonly Site[]; readonly test: Site['training'] }> {
    const { data, test: testFile, format, testShare = 0.1, heldOutShare = 0.1, participants, split: rule, label } = this.#options;
    const limits = { maxLength: this.#model.maxLength(adapter.numVirtualTokens), format };
    const { tokenizer } = this.#bundle;
    const all = await readLabelled(data, tokenizer, limits, label);
    const [records, test] =
      testFile === undefined ? takeTest(all, testShare, this.#seed) : [all, await readLabelled(testFile, tokenizer, limits)];
    return {
      sites: shareOut(records, { participants, rule, seed: this.#seed, heldOutShare }),
      test: test.flatMap(({ examples }) => examples),
    };
  }

  async #participate(
    { id: federation }: OpenManifest,
    api: SimulatedConnection,
    identity: IdentityKey,
    { training, heldOut }: Site,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    this.#activity.busy += 1;
    const state = await MemberStore.scratch(join(this.#scratch, name));
    try {
      const random = seeded(this.#seed, 3);
      const participant = await Participant.open({
        api,
        federation,
        identity,
        bundle: this.#bundle,
        connection: this.#model.remote.connection,
        data: fixedData(training, heldOut),
        state,
        evaluateLocally: false,
        seed: this.#seed,
        checkpointEvery: Number.MAX_SAFE_INTEGER,
        pollMs: POLL_MS,
        // Time stands still while a participant works.
        signOfLifeMs: 0,
        random: this.#random(name),
        signatures: this.#signatures,
        environment: { now: this.#clock.now, sleep: (ms, aborted) => api.rest(ms, aborted), random: random.next },
        onEvent: (event) => {
          this.#activity.events += 1;
          if (['aggregate', 'promoted', 'rejected'].includes(event.type)) this.#news = true;
          if (event.type === 'submitted')
            this.#options.onSubmitted?.(event.round, this.#submitted(event.round), this.#options.participants);
        },
      });
      await participant.run(signal);
    } finally {
      await state.close();
      api.close();
      this.#activity.busy -= 1;
    }
  }

  /** Something was broadcast since the last look. */
  #news = false;

  readonly #submissions = new Map<number, number>();

  #submitted(round: number): number {
    const count = (this.#submissions.get(round) ?? 0) + 1;
    this.#submissions.set(round, count);
    return count;
  }

  /** Advances time while all participants wait, until the federation ends. @returns why it ended */
  async #drive(watch: RoundWatch, stop: AbortController, signal: AbortSignal): Promise<string> {
    for (let seen = -1; !signal.aborted; ) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      const idle = this.#activity.busy === 0 && this.#activity.events === seen;
      seen = this.#activity.events;
      if (!idle && !this.#news) continue;
      this.#news = false;
      const ended = await watch.look();
      if (ended !== undefined) return ended;
      if (idle && this.#activity.events === seen) this.#clock.advance();
    }
    stop.abort();
    return 'it was cancelled';
  }

  #around() {
    return { clock: this.#clock, gate: this.#gate, activity: this.#activity, vanishing: this.#vanishing() };
  }

  #vanishing(): (member: string, round: number) => RoundStage | null {
    const { dropout = 0, given } = this.#options;
    const stages = given.settings.secureAggregation === null ? (['enlisting', 'submitting'] as const) : roundStages;
    return (member, round) => {
      if (dropout === 0) return null;
      const draw = seeded(this.#seed, 4, round, Number.parseInt(member.slice(1), 10));
      return draw.next() < dropout ? stages[draw.integer(stages.length)]! : null;
    };
  }

  /** 32 bytes for a purpose. */
  #bytes(...purpose: readonly string[]): Uint8Array {
    return createHash('sha256')
      .update(JSON.stringify(['cutlayer simulation', this.#seed, ...purpose]))
      .digest();
  }

  #random(...purpose: readonly string[]) {
    return seededBytes(this.#bytes('random', ...purpose));
  }
}

/** p001, p002 … */
function memberNames(count: number): readonly string[] {
  const width = Math.max(2, String(count).length);
  return Array.from({ length: count }, (_, at) => `p${String(at + 1).padStart(width, '0')}`);
}
