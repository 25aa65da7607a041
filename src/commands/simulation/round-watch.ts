/** Watches a simulated federation as its founder could: broadcasts, test metrics, bytes. */
import type { Adapter } from '../../../clients/typescript/adapters/adapter.js';
import type { Example } from '../../../clients/typescript/data/examples.js';
import { setFlatValues } from '../../../clients/typescript/federation/federated-adapter.js';
import { evaluate } from '../../../clients/typescript/inference/evaluate.js';
import type { SplitModel } from '../../../clients/typescript/model/split-model.js';
import type { CoordinatorApi, FederationReport } from '../../coordinator/coordinator-api.js';
import { type Broadcast, type ChainHead, openBroadcast, type VersionMetrics } from '../../protocol/federation/chain.js';
import type { OpenManifest } from '../../protocol/federation/manifest.js';
import type { SimulatedConnection } from './simulated-connection.js';
import type { Site } from './simulation-data.js';
import type { AbortedRound, SimulationPoint, SimulationSummary } from './simulation-summary.js';

export interface WatchOptions {
  readonly open: OpenManifest;
  readonly coordinator: CoordinatorApi;
  readonly model: SplitModel;
  readonly adapter: Adapter;
  readonly test: readonly Example[];
  readonly connections: readonly SimulatedConnection[];
  readonly onPoint?: ((point: SimulationPoint) => void) | undefined;
  readonly onAborted?: ((ending: AbortedRound) => void) | undefined;
}

type Aggregate = Extract<Broadcast, { kind: 'aggregate' }>;

/** Rounds that may fail per success before the simulation gives up. */
const MOST_ABORTED = 10;

export class RoundWatch {
  readonly points: SimulationPoint[] = [];
  /** Bounded: more than {@link MOST_ABORTED} for each success end the simulation. */
  readonly #aborted: AbortedRound[] = [];
  readonly #options: WatchOptions;
  readonly #began = performance.now();
  readonly #aggregates = new Map<number, Aggregate>();
  readonly #tested = new Map<number, VersionMetrics | null>();
  #head: ChainHead | null = null;
  /** The gateway's, at the newest point. */
  #last = { up: 0, down: 0 };
  #report: FederationReport | undefined;
  /** The newest round whose end was looked at. */
  #endedRound = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Processes what is new. @returns why the federation has ended, once it has */
  async look(): Promise<string | undefined> {
    const { open, coordinator } = this.#options;
    const reader = coordinator.reader(open.id);
    // Read before the broadcasts, so that they include those before the end.
    [this.#report] = await coordinator.status(open.id);
    this.#tellAborted();
    const broadcasts = await reader.broadcasts(this.#head === null ? 0 : this.#head.seq + 1);
    const news: Broadcast[] = [];
    for (const signed of broadcasts) {
      const coordinatorKey = Buffer.from(open.manifest.coordinatorKey, 'hex');
      const { broadcast, head } = openBroadcast(signed, { federation: open.id, coordinatorKey, head: this.#head });
      this.#head = head;
      news.push(broadcast);
    }
    // All versions are fetched before the first is measured, as the coordinator keeps few.
    const fetched = new Map<number, Float32Array | undefined>();
    for (const broadcast of news) {
      if (broadcast.kind !== 'begin' && broadcast.kind !== 'aggregate') continue;
      fetched.set(broadcast.version, await reader.version(broadcast.version).catch(() => undefined));
      if (broadcast.kind === 'aggregate') this.#aggregates.set(broadcast.version, broadcast);
    }
    for (const [version, values] of fetched) this.#tested.set(version, values === undefined ? null : await this.#measure(values));
    for (const broadcast of news) {
      if (broadcast.kind === 'begin') this.#add(0, true, null, null);
      if (broadcast.kind === 'promote' || broadcast.kind === 'reject')
        this.#add(
          broadcast.version,
          broadcast.kind === 'promote',
          broadcast.candidate?.current ?? null,
          broadcast.privacy,
          broadcast.round,
        );
    }
    return this.#ended();
  }

  /** @param stopped Why it has ended. */
  summary(
    stopped: string,
    sites: readonly Site[],
    { seed, split, dropout }: { readonly seed: number; readonly split: string; readonly dropout: number },
  ): SimulationSummary {
    const { open, connections, test } = this.#options;
    return {
      federation: open.id,
      settings: open.manifest.settings,
      seed,
      split,
      dropout,
      stopped,
      seconds: this.#seconds(),
      released: this.#report?.released ?? 0,
      aborted: this.#report?.aborted ?? 0,
      abortedRounds: this.#aborted,
      testExamples: test.length,
      points: this.points,
      participants: connections.map(({ member, traffic, vanished }, at) => {
        const { training, heldOut, labels } = sites[at]!;
        return { name: member, training: training.length, heldOut: heldOut.length, labels, ...traffic, vanished: vanished.length };
      }),
    };
  }

  #tellAborted(): void {
    const news = (this.#report?.recent ?? []).filter(({ round }) => round > this.#endedRound).reverse();
    for (const { round, purpose, aborted, lost } of news) {
      this.#endedRound = round;
      if (aborted === null) continue;
      const ending = { round, purpose, reason: aborted, lost };
      this.#aborted.push(ending);
      this.#options.onAborted?.(ending);
    }
  }

  #ended(): string | undefined {
    const report = this.#report;
    if (report === undefined) return undefined;
    if (report.state === 'finished' || report.state === 'paused') return report.reason;
    if (report.aborted > MOST_ABORTED * (report.released + 1))
      return `${report.aborted} rounds were aborted, more than ${MOST_ABORTED} for each that was released and one more; the last: ${report.recent.find(({ aborted }) => aborted !== null)?.aborted ?? 'unknown'}`;
    return undefined;
  }

  async #measure(values: Float32Array): Promise<VersionMetrics> {
    const { adapter, model, test } = this.#options;
    setFlatValues(adapter, values);
    const { loss, accuracy, exactMatch } = await evaluate(model, adapter, test, { batchSize: 32 });
    return { loss, accuracy, exactMatch };
  }

  /** @param evaluated the round that decided about the version, if another round made it */
  #add(
    version: number,
    promoted: boolean,
    heldOut: VersionMetrics | null,
    privacy: SimulationPoint['privacy'],
    evaluated: number | null = null,
  ): void {
    const { connections, model, onPoint } = this.#options;
    const aggregate = this.#aggregates.get(version);
    const round = aggregate?.round ?? 0;
    const taken = connections.map((connection) => connection.takeTraffic(evaluated ?? round));
    const coordinator = {
      up: taken.reduce((sum, { up }) => sum + up, 0),
      down: taken.reduce((sum, { down }) => sum + down, 0),
    };
    const { bytesUp, bytesDown } = model.remote.connection.counters;
    const gateway = { up: bytesUp - this.#last.up, down: bytesDown - this.#last.down };
    const point: SimulationPoint = {
      version,
      round,
      seconds: this.#seconds(),
      participants: aggregate?.participants.length ?? 0,
      vanished: connections.filter(({ vanished }) => vanished.some((lost) => lost.round === round)).length,
      test: this.#tested.get(version) ?? null,
      heldOut,
      promoted,
      coordinator,
      gateway,
      privacy,
      rssBytes: process.memoryUsage.rss(),
    };
    this.#last = { up: bytesUp, down: bytesDown };
    this.points.push(point);
    onPoint?.(point);
  }

  #seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }
}
