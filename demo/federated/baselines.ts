/**
 * The federation's baselines: a site that trains alone, and one with the data of all sites.
 * Adapter, steps, batches and learning rate are the same.
 */
import { join } from 'node:path';
import { setFlatValues } from '../../clients/typescript/federation/federated-adapter.js';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  createAdapter,
  type Example,
  epochBatches,
  evaluate,
  loadExamples,
  RemoteModel,
  SplitModel,
  schedule,
  TrainingClient,
} from '../../clients/typescript/index.js';
import { type FederatedSettings, type SiteName, siteNames } from './settings.js';
import type { Score, ScorePoint } from './summary.js';

/** How to reach the gateway, as any client does. */
export interface GatewayAccess {
  readonly address: string;
  readonly caFile: string;
  readonly token: string;
}

const MAX_TOKENS = 8192;

/** All sites' data and a gateway connection, for comparison: no party has all of this. */
export class Comparison {
  readonly #settings: FederatedSettings;
  readonly #bundle: ClientBundle;
  readonly #connection: Connection;
  readonly #model: SplitModel;
  readonly #train: ReadonlyMap<SiteName, readonly Example[]>;
  readonly #ownTest: ReadonlyMap<SiteName, readonly Example[]>;
  readonly #test: readonly Example[];

  private constructor(
    settings: FederatedSettings,
    bundle: ClientBundle,
    connection: Connection,
    data: {
      readonly train: ReadonlyMap<SiteName, readonly Example[]>;
      readonly ownTest: ReadonlyMap<SiteName, readonly Example[]>;
      readonly test: readonly Example[];
    },
  ) {
    this.#settings = settings;
    this.#bundle = bundle;
    this.#connection = connection;
    this.#model = new SplitModel(bundle, new RemoteModel(connection));
    this.#train = data.train;
    this.#ownTest = data.ownTest;
    this.#test = data.test;
  }

  static async open(settings: FederatedSettings, bundleDir: string, { address, caFile, token }: GatewayAccess): Promise<Comparison> {
    const bundle = await ClientBundle.open(bundleDir);
    const connection = await connect({ address, ca: caFile, token });
    const maxLength = connection.card.dims.maxPositions - settings.virtualTokens;
    const read = (name: string) => loadExamples(join(settings.data, `${name}.jsonl`), bundle.tokenizer, { maxLength });
    const all = async (split: string) =>
      new Map(await Promise.all(siteNames.map(async (site) => [site, await read(`${site}-${split}`)] as const)));
    return new Comparison(settings, bundle, connection, {
      train: await all('train'),
      ownTest: await all('test'),
      test: await read('test'),
    });
  }

  async close(): Promise<void> {
    this.#connection.close();
    await this.#bundle.close();
  }

  /** Sizes of the data sets. */
  get sizes(): { readonly train: number; readonly ownTest: number; readonly test: number } {
    return { train: this.#train.get('north')!.length, ownTest: this.#ownTest.get('north')!.length, test: this.#test.length };
  }

  /** The common test before any training. */
  async before(): Promise<number> {
    return this.#exactMatch(await this.#newAdapter(), this.#test);
  }

  /** Measures a version. */
  async score(values: Float32Array): Promise<Score> {
    const adapter = await this.#newAdapter();
    setFlatValues(adapter, values);
    return this.#score(adapter);
  }

  /** Measures a version on the common test alone. */
  async common(values: Float32Array): Promise<number> {
    const adapter = await this.#newAdapter();
    setFlatValues(adapter, values);
    return this.#exactMatch(adapter, this.#test);
  }

  /**
   * Trains on one site's rows, or on all.
   * @param points Measured on the common test after the steps of these rounds.
   */
  async train(
    who: SiteName | 'pooled',
    points: ReadonlySet<number>,
  ): Promise<{ readonly score: Score; readonly curve: readonly ScorePoint[] }> {
    const { rounds, steps, batch, lr } = this.#settings;
    const falling = schedule(this.#settings.schedule, { totalSteps: rounds * steps });
    const examples = who === 'pooled' ? siteNames.flatMap((site) => this.#train.get(site)!) : this.#train.get(who)!;
    const adapter = await this.#newAdapter();
    const client = new TrainingClient(this.#bundle, this.#connection, adapter, { learningRate: lr, schedule: falling, maxGradNorm: 1 });
    const curve: ScorePoint[] = [];
    const lengths = examples.map(({ tokenIds }) => tokenIds.length);
    let queue: (readonly number[])[] = [];
    for (let step = 0, epoch = 0; step < rounds * steps; step++) {
      if (queue.length === 0)
        queue = [...epochBatches(lengths, epoch++, { batchSize: batch, maxTokensPerBatch: MAX_TOKENS, seed: 0, shuffle: true })];
      void client.forwardBackward(queue.shift()!.map((index) => examples[index]!));
      await client.optimStep();
      const round = (step + 1) / steps;
      if (points.has(round)) curve.push({ round, exactMatch: await this.#exactMatch(adapter, this.#test) });
    }
    return { score: await this.#score(adapter), curve };
  }

  /** The same initial values as the federation's version 0. */
  #newAdapter(): Promise<Adapter> {
    return createAdapter({ bundle: this.#bundle }, 'prompt-tuning', { virtualTokens: this.#settings.virtualTokens });
  }

  async #score(adapter: Adapter): Promise<Score> {
    const own = await Promise.all(
      siteNames.map(async (site) => [site, await this.#exactMatch(adapter, this.#ownTest.get(site)!)] as const),
    );
    return { common: await this.#exactMatch(adapter, this.#test), own: Object.fromEntries(own) as Score['own'] };
  }

  async #exactMatch(adapter: Adapter, examples: readonly Example[]): Promise<number> {
    return (await evaluate(this.#model, adapter, examples, { batchSize: 32 })).exactMatch;
  }
}
