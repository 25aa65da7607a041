/** What a member computes in a round, an update or metrics, and what it knows of versions. */
import { CutlayerError } from '../../../src/errors.js';
import type { RandomBytes } from '../../../src/privacy/random.js';
import type { VersionMetrics } from '../../../src/protocol/federation/chain.js';
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import { type OpenManifest, parametersDigest } from '../../../src/protocol/federation/manifest.js';
import type { Adapter } from '../adapters/adapter.js';
import type { RetryEnvironment } from '../connection/retry.js';
import { batchLimits } from '../inference/batch-limits.js';
import type { SplitModel } from '../model/split-model.js';
import type { TrainingClient } from '../training/training-client.js';
import { worsening } from '../versions/worsening.js';
import type { ChainLog } from './chain-log.js';
import type { LocalData } from './data/local-data.js';
import { evaluationPayload, type MeasuredVersion, measureSlices } from './data/measure.js';
import { splitValues, trainLocally } from './local-training.js';
import type { MemberStore } from './member-store.js';
import type { ParticipantEvent } from './participant-events.js';
import { metricsPayload, type RoundPayload, trainPayload } from './round-payload.js';
import type { ActiveRound } from './round-record.js';

export interface WorkSurroundings {
  readonly api: Pick<FederationApi, 'version'>;
  readonly open: OpenManifest;
  readonly chain: ChainLog;
  readonly data: LocalData;
  readonly state: MemberStore;
  readonly client: TrainingClient;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly random: RandomBytes;
  readonly environment: RetryEnvironment;
  readonly tell: (event: ParticipantEvent) => void;
}

/** Versions in memory: the promoted one and a candidate. */
const KEPT_VERSIONS = 2;
const EVALUATION_BATCH = 8;

export class RoundWork {
  readonly #around: WorkSurroundings;
  readonly #versions = new Map<number, Float32Array>();
  readonly #measured = new Map<number, MeasuredVersion>();
  /** Parameter bytes fetched. */
  bytesDown = 0;

  constructor(around: WorkSurroundings) {
    this.#around = around;
  }

  get adapter(): Adapter {
    return this.#around.client.adapter;
  }

  get #model(): SplitModel {
    return this.#around.client.model;
  }

  /** @throws CutlayerError ROUND_REFUSED (never broadcast), DIGEST_MISMATCH */
  async version(version: number): Promise<Float32Array> {
    const known = this.#versions.get(version);
    if (known !== undefined) return known;
    const digest = this.#around.chain.digestOf(version);
    if (digest === undefined)
      throw new CutlayerError('ROUND_REFUSED', `version ${version} was never broadcast; this member does not use it`);
    const values = await this.#around.api.version(version);
    this.bytesDown += values.byteLength;
    if (parametersDigest(values) !== digest) {
      throw new CutlayerError(
        'DIGEST_MISMATCH',
        `version ${version}: the coordinator gives parameters with digest ${parametersDigest(values)}, but has broadcast ${digest}; this member does not use them`,
      );
    }
    this.#versions.set(version, values);
    for (const old of [...this.#versions.keys()].slice(0, -KEPT_VERSIONS)) this.#versions.delete(old);
    return values;
  }

  /** Puts a version into the adapter. */
  async use(version: number): Promise<Adapter> {
    const values = await this.version(version);
    // As optimizer steps do it, so that the adapter keeps nothing computed of earlier values.
    await this.#around.client.loadValues(splitValues(this.adapter, values), undefined);
    return this.adapter;
  }

  /** Trains from the round's version; the update as it goes into the round. */
  async train(round: number, active: ActiveRound, cohort: number, signal: AbortSignal): Promise<RoundPayload> {
    const { open, chain, data, state, client, seed, checkpointEvery, environment, random, tell } = this.#around;
    const { version, clipNorm, enlistment } = active;
    const start = await this.version(version);
    const examples = await data.roundExamples(round, version);
    const { update } = await trainLocally({
      state,
      client,
      settings: open.manifest.settings,
      round,
      version,
      aggregates: [...chain.released.values()].filter((purpose) => purpose === 'train').length,
      start,
      data: examples,
      seed,
      checkpointEvery,
      environment,
      signal,
      onStep: (step) => tell({ type: 'step', round, ...step }),
      onRetry: ({ code, message }) => tell({ type: 'offline', code, message, delayMs: 0 }),
    });
    return trainPayload(open.manifest, update, { cohort, clipNorm, examples: enlistment.examples, random });
  }

  /** Measures the round's two versions; the metrics as they go into the round. */
  async measureBoth({ version, promoted, clipNorm, enlistment }: ActiveRound, cohort: number, signal: AbortSignal): Promise<RoundPayload> {
    const { open, random } = this.#around;
    const measured = { promoted: await this.measure(promoted, promoted, signal), candidate: await this.measure(version, promoted, signal) };
    const forgotten = worsening(measured.promoted.earlier, measured.candidate.earlier);
    this.#around.tell({ type: 'compared', version, promoted, forgotten });
    const lossCap = open.manifest.settings.evaluation?.lossCap ?? 1;
    return metricsPayload(open.manifest, evaluationPayload(measured, lossCap), { cohort, clipNorm, examples: enlistment.examples, random });
  }

  /** Metrics on this member's held-out examples. @param promoted Decides what "earlier" means. */
  async measure(version: number, promoted: number, signal: AbortSignal | undefined): Promise<MeasuredVersion> {
    const adapter = await this.use(version);
    const limits = batchLimits(this.#model, adapter, { batchSize: EVALUATION_BATCH });
    const measured = await measureSlices(this.#model, adapter, this.#around.data.heldOut(promoted), { ...limits, signal });
    this.#measured.set(version, measured);
    for (const old of [...this.#measured.keys()].slice(0, -KEPT_VERSIONS)) this.#measured.delete(old);
    this.#around.tell({ type: 'measured', version, ...measured });
    return measured;
  }

  /** What was measured of a version, if it was lately. */
  measuredBefore(version: number): VersionMetrics | undefined {
    return this.#measured.get(version)?.current;
  }
}
