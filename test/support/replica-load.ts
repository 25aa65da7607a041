/**
 * The load of the tests of replicas: clients that train and clients that decode, at once, each a
 * tenant of its own. What they get does not depend on what happens to a gateway meanwhile.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClientBundle,
  type Connection,
  connect,
  type Example,
  generateTokens,
  loadExamples,
  RemoteModel,
  SoftPrompt,
  SplitModel,
  TrainingClient,
  train,
} from '../../clients/typescript/index.js';
import { type Amounts, sumAmounts } from '../../src/gateway/ledger/charge.js';
import { openGatewayDatabase } from '../../src/gateway/tables/database.js';
import type { GatewayProcess } from './gateway-process.js';
import { packedFixture } from './packed-fixture.js';
import { type Replicas, startReplicas } from './replicas.js';
import { writeNotes } from './training-data.js';

const TRAINERS = 2;
const DECODERS = 2;
const STEPS = 12;
const TOKENS = 24;
/** Tokens of each decoder before the trainers begin, and steps of the first of them before the kill. */
const MARK = 4;

/** Resolves when it was reached that many times. */
function signal(times: number): { readonly reached: Promise<void>; reach(): void } {
  let left = times;
  let resolve: () => void = () => undefined;
  const reached = new Promise<void>((done) => {
    resolve = done;
  });
  return {
    reached,
    reach() {
      left -= 1;
      if (left === 0) resolve();
    },
  };
}

/** What one client has got, and what it has counted. */
export interface Outcome {
  readonly result: readonly number[] | Buffer;
  readonly bytesUp: number;
}

/** What happens during a load. */
interface Moments {
  readonly connected?: () => Promise<void>;
  readonly atMark?: () => Promise<void>;
}

/** Two replicas, and the clients that load them. */
export class ReplicaLoad {
  readonly replicas: Replicas;
  readonly bundle: ClientBundle;
  readonly dir: string;
  readonly #examples: readonly Example[];

  private constructor(replicas: Replicas, bundle: ClientBundle, dir: string, examples: readonly Example[]) {
    this.replicas = replicas;
    this.bundle = bundle;
    this.dir = dir;
    this.#examples = examples;
  }

  /** Starts the replicas. */
  static async start(): Promise<ReplicaLoad> {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-replicas-test-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    const replicas = await startReplicas(backboneDir);
    const bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    writeNotes(join(dir, 'train.jsonl'), 24, 1);
    const examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
    return new ReplicaLoad(replicas, bundle, dir, examples);
  }

  async stop(): Promise<void> {
    await this.bundle.close();
    await this.replicas.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  open(address: string, token: string): Promise<Connection> {
    return connect({ address, ca: this.replicas.caFile, token });
  }

  async #trained(connection: Connection, name: string, seed: number, onStep: (step: number) => void): Promise<Buffer> {
    const adapter = await SoftPrompt.create(this.bundle, 4, { init: 'SAMPLE_VOCAB', seed });
    const outDir = join(this.dir, name);
    await train(new TrainingClient(this.bundle, connection, adapter), {
      ...{ outDir, examples: this.#examples, totalSteps: STEPS, batchSize: 4, accumulation: 2, seed, tensorboard: false },
      onEvent: (event) => {
        if (event.type === 'step') onStep(event.step);
      },
    });
    return readFile(join(outDir, 'adapter', 'adapter_model.safetensors'));
  }

  async #decoded(connection: Connection, seed: number, onToken: (count: number) => Promise<void>): Promise<readonly number[]> {
    const ids: number[] = [];
    const options = { maxNewTokens: TOKENS, minTokens: TOKENS, temperature: 1, seed };
    const model = new SplitModel(this.bundle, new RemoteModel(connection));
    for await (const id of generateTokens(model, undefined, [...this.#examples[seed]!.tokenIds], options)) {
      ids.push(id);
      await onToken(ids.length);
    }
    return ids;
  }

  /**
   * All clients at once, each a tenant of its own. `atMark` runs while texts are half done and
   * trainers have steps under way.
   */
  async run(name: string, { connected, atMark }: Moments = {}): Promise<ReadonlyMap<string, Outcome>> {
    const tenants = [...Array(TRAINERS + DECODERS).keys()].map((at) => `${at < TRAINERS ? 'trainer' : 'decoder'}-${at}`);
    const connections = new Map<string, Connection>();
    // One after the other: haproxy gives each gateway half of them, of either kind.
    for (const tenant of tenants)
      connections.set(tenant, await this.open(this.replicas.address, await this.replicas.token({ tenant: `${tenant}-${name}` })));
    await connected?.();
    const [begun, marked] = [signal(DECODERS), signal(1)];
    const killed = marked.reached.then(() => atMark?.());
    const outcomes = await Promise.all(
      tenants.map(async (tenant, at): Promise<readonly [string, Outcome]> => {
        const connection = connections.get(tenant)!;
        if (at < TRAINERS) await begun.reached;
        const result =
          at < TRAINERS
            ? await this.#trained(connection, `${tenant}-${name}`, at, (step) => {
                if (step === MARK) marked.reach();
              })
            : await this.#decoded(connection, at, async (count) => {
                if (count !== MARK) return;
                begun.reach();
                // The next token is asked for after the kill.
                await killed;
              });
        const { bytesUp } = connection.counters;
        connection.close();
        return [tenant, { result, bytesUp }];
      }),
    );
    await killed;
    return new Map(outcomes);
  }

  /** What a tenant is charged for. */
  async chargedTo(tenant: string): Promise<Amounts> {
    const database = await openGatewayDatabase(this.replicas.place.target);
    try {
      const hours = await database.transaction(({ usage }) => usage.sums({ tenant, from: 0, to: Date.now() + 3_600_000, limit: 100 }));
      return sumAmounts(hours);
    } finally {
      await database.close();
    }
  }

  /** The trainers of a run that have called a method of a gateway, by its metrics. */
  async trainersOf({ admin }: GatewayProcess, method: string, run: string): Promise<readonly string[]> {
    const text = (await this.ask(admin, '/metrics')).body;
    const lines = text.split('\n').filter((line) => line.startsWith('cutlayer_calls_total') && line.includes(method));
    return lines.flatMap((line) => new RegExp(`tenant="(trainer-\\d+-${run})"`).exec(line)?.[1] ?? []);
  }

  /** Asks an admin port, which has TLS. */
  async ask(admin: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
    const ca = await readFile(this.replicas.caFile);
    return new Promise((resolve, reject) => {
      get(`https://${admin}${path}`, { ca, agent: false }, (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => {
            body += chunk;
          })
          .on('end', () => resolve({ status: response.statusCode!, body }));
      }).on('error', reject);
    });
  }
}
