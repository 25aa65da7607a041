/**
 * Two gateways over one PostgreSQL database, behind haproxy. kill -9 of one of them costs clients
 * time, and nothing else: the same adapters, the same tokens, the same bill.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
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
import { CutlayerError } from '../../src/errors.js';
import { type Amounts, sumAmounts } from '../../src/gateway/ledger/charge.js';
import { openGatewayDatabase } from '../../src/gateway/tables/database.js';
import { cutlayerHere } from '../support/command-here.js';
import type { GatewayProcess } from '../support/gateway-process.js';
import { packedFixture } from '../support/packed-fixture.js';
import { haproxy, type Replicas, startReplicas } from '../support/replicas.js';
import { postgresServer } from '../support/store-engines.js';
import { writeNotes } from '../support/training-data.js';

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
interface Outcome {
  readonly result: readonly number[] | Buffer;
  readonly bytesUp: number;
}

/** What happens during a load. */
interface Moments {
  readonly connected?: () => Promise<void>;
  readonly atMark?: () => Promise<void>;
}

/** A suite that runs where both programs are: `.ci/haproxy` brings them. */
const suite = (title: string, body: (this: Mocha.Suite) => void): void => {
  if (haproxy !== undefined && postgresServer !== undefined) describe(title, body);
};

suite('two gateways over one PostgreSQL database, behind haproxy', function () {
  this.timeout(180_000);
  let dir: string;
  let replicas: Replicas;
  let bundle: ClientBundle;
  let examples: readonly Example[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-replicas-test-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    replicas = await startReplicas(backboneDir);
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    writeNotes(join(dir, 'train.jsonl'), 24, 1);
    examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
  });
  after(async () => {
    await bundle?.close();
    await replicas?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const open = async (address: string, token: string): Promise<Connection> => connect({ address, ca: replicas.caFile, token });

  const trained = async (connection: Connection, name: string, seed: number, onStep: (step: number) => void): Promise<Buffer> => {
    const adapter = await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed });
    const outDir = join(dir, name);
    await train(new TrainingClient(bundle, connection, adapter), {
      ...{ outDir, examples, totalSteps: STEPS, batchSize: 4, accumulation: 2, seed, tensorboard: false },
      onEvent: (event) => {
        if (event.type === 'step') onStep(event.step);
      },
    });
    return readFile(join(outDir, 'adapter', 'adapter_model.safetensors'));
  };

  const decoded = async (connection: Connection, seed: number, onToken: (count: number) => Promise<void>): Promise<readonly number[]> => {
    const ids: number[] = [];
    const options = { maxNewTokens: TOKENS, minTokens: TOKENS, temperature: 1, seed };
    const model = new SplitModel(bundle, new RemoteModel(connection));
    for await (const id of generateTokens(model, undefined, [...examples[seed]!.tokenIds], options)) {
      ids.push(id);
      await onToken(ids.length);
    }
    return ids;
  };

  /**
   * All clients at once, each a tenant of its own. `atMark` runs while texts are half done and
   * trainers have steps under way.
   */
  const load = async (name: string, { connected, atMark }: Moments = {}): Promise<ReadonlyMap<string, Outcome>> => {
    const tenants = [...Array(TRAINERS + DECODERS).keys()].map((at) => `${at < TRAINERS ? 'trainer' : 'decoder'}-${at}`);
    const connections = new Map<string, Connection>();
    // One after the other: haproxy gives each gateway half of them, of either kind.
    for (const tenant of tenants)
      connections.set(tenant, await open(replicas.address, await replicas.token({ tenant: `${tenant}-${name}` })));
    await connected?.();
    const [begun, marked] = [signal(DECODERS), signal(1)];
    const killed = marked.reached.then(() => atMark?.());
    const outcomes = await Promise.all(
      tenants.map(async (tenant, at): Promise<readonly [string, Outcome]> => {
        const connection = connections.get(tenant)!;
        if (at < TRAINERS) await begun.reached;
        const result =
          at < TRAINERS
            ? await trained(connection, `${tenant}-${name}`, at, (step) => {
                if (step === MARK) marked.reach();
              })
            : await decoded(connection, at, async (count) => {
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
  };

  const chargedTo = async (tenant: string): Promise<Amounts> => {
    const database = await openGatewayDatabase(replicas.place.target);
    try {
      const hours = await database.transaction(({ usage }) => usage.sums({ tenant, from: 0, to: Date.now() + 3_600_000, limit: 100 }));
      return sumAmounts(hours);
    } finally {
      await database.close();
    }
  };

  /** Calls until the gateway refuses; resolves with the code. */
  const refusal = async (gateway: GatewayProcess, token: string): Promise<string> => {
    for (;;) {
      try {
        (await connect({ address: gateway.address, ca: replicas.caFile, token, retry: { retryForMs: 0 } })).close();
      } catch (caught) {
        return CutlayerError.from(caught).code;
      }
      await pause(100);
    }
  };

  /** The trainers of the second run that have called a method of a gateway, by its metrics. */
  const trainersOf = async ({ admin }: GatewayProcess, method: string): Promise<readonly string[]> => {
    const text = await metricsOf(admin, await readFile(replicas.caFile));
    const lines = text.split('\n').filter((line) => line.startsWith('cutlayer_calls_total') && line.includes(method));
    return lines.flatMap((line) => /tenant="(trainer-\d+-killed)"/.exec(line)?.[1] ?? []);
  };

  const command = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await cutlayerHere(args);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('takes a token at either gateway, whichever of them, or which command, has issued it', async () => {
    const [a, b] = replicas.gateways;
    const token = (
      await command('gateway', 'token', '--tenant', 'either', '--keys-dir', replicas.keysDir, '--state-dir', a.stateDir)
    ).trim();
    for (const gateway of [a, b]) (await open(gateway.address, token)).close();
    const file = join(dir, 'either.client');
    const tokenUrl = `https://${replicas.admin}/oauth2/token`;
    const flags = ['--token-url', tokenUrl, '--keys-dir', replicas.keysDir, '--state-dir', a.stateDir];
    await command('gateway', 'client', 'add', 'either', '--out', file, ...flags);
    // The token endpoint of one of them answers; each gateway takes what it gives.
    for (const gateway of [a, b, a, b]) {
      (await connect({ address: gateway.address, ca: replicas.caFile, tokenFile: file })).close();
    }
  });

  it('takes tokens of a new key at both as soon as a command has made it, and those of the key before', async () => {
    const before = await replicas.token({ tenant: 'rotating' });
    await command('gateway', 'keys', 'rotate', '--keys-dir', replicas.keysDir);
    const after = await replicas.token({ tenant: 'rotating' });
    for (const { address } of replicas.gateways) for (const token of [before, after]) (await open(address, token)).close();
  });

  it('refuses at one gateway what was suspended or disabled at the other', async () => {
    const [a, b] = replicas.gateways;
    const token = await replicas.token({ tenant: 'leaving' });
    (await open(b.address, token)).close();
    // The command asks the gateway of this state directory.
    await command('gateway', 'tenant', 'suspend', 'leaving', '--state-dir', a.stateDir);
    assert.equal(await refusal(b, token), 'TENANT_SUSPENDED');
    const id = (await command('gateway', 'client', 'add', 'disabling', '--secret', '--state-dir', a.stateDir)).split(' ')[0]!;
    const ofClient = await replicas.token({ tenant: 'disabling', clientId: id });
    (await open(b.address, ofClient)).close();
    await command('gateway', 'client', 'disable', id, '--state-dir', a.stateDir);
    assert.equal(await refusal(b, ofClient), 'TOKEN_INVALID');
  });

  // The last one: it leaves one gateway.
  it('kill -9 of one under load: no step is wrong, lost or charged twice', async () => {
    const undisturbed = await load('whole');
    const [dying, living] = replicas.gateways;
    let moving: readonly string[] = [];
    const disturbed = await load('killed', {
      connected: async () => {
        moving = await trainersOf(dying, 'GetModel');
      },
      atMark: () => dying.kill(),
    });
    for (const [tenant, { result }] of disturbed) assert.deepEqual(result, undisturbed.get(tenant)!.result, tenant);
    assert.ok(moving.length > 0, 'a trainer was at the gateway that was killed');
    const stayed = await trainersOf(living, 'Backward');
    assert.deepEqual(
      moving.filter((tenant) => !stayed.includes(tenant)),
      [],
      'each went on at the other one',
    );
    const replayed = [...disturbed].filter(([tenant, { bytesUp }]) => bytesUp > undisturbed.get(tenant)!.bytesUp);
    assert.ok(
      replayed.some(([tenant]) => tenant.startsWith('decoder')),
      'a text was half done at the gateway that was killed',
    );
    for (const tenant of disturbed.keys()) {
      const charged = await chargedTo(`${tenant}-killed`);
      assert.ok(charged.calls > 0, tenant);
      assert.deepEqual(charged, await chargedTo(`${tenant}-whole`), tenant);
    }
  });
});

/** The metrics of a gateway whose admin port has TLS. */
function metricsOf(admin: string, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`https://${admin}/metrics`, { ca, agent: false }, (response) => {
      let text = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => {
          text += chunk;
        })
        .on('end', () => resolve(text));
    }).on('error', reject);
  });
}
