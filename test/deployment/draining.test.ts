/**
 * Changes of two gateways behind haproxy while clients work: one is drained (SIGTERM), and keys are
 * rotated. No client sees a failure of either.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Connection, connect, RemoteModel } from '../../clients/typescript/index.js';
import { CutlayerError } from '../../src/errors.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { cutlayerHere } from '../support/command-here.js';
import { seeded, uniform } from '../support/random.js';
import { ReplicaLoad } from '../support/replica-load.js';
import { type Replicas, replicasSuite } from '../support/replicas.js';

/** Calls without a second try. */
const once = { retryForMs: 0, waitForMs: 0 } as const;
/** Forwards that are under way at the SIGTERM, and their size. */
const [LANES, BATCH, SEQUENCE] = [4, 64, 32];
const ROTATIONS = 4;
const WORKERS = 3;
/** Rows of a day of a tenant at both gateways, and rows of each of its calls. */
const [DAY, ROWS] = [100, 8];
const CALLS = 30;

replicasSuite('two gateways behind haproxy that change under load', function () {
  this.timeout(240_000);
  let load: ReplicaLoad;
  let replicas: Replicas;

  before(async () => {
    load = await ReplicaLoad.start();
    replicas = load.replicas;
  });
  after(() => load?.stop());

  const command = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await cutlayerHere(args);
    assert.equal(code, 0, stderr);
  };

  const forward = async (connection: Connection, batch: number, sequence: number): Promise<void> => {
    const hiddenStates = uniform('float32', [1, sequence, load.bundle.dims.hiddenSize], seeded(1));
    const lengths = new Array<number>(batch).fill(sequence);
    const input = { hiddenStates: repeated(hiddenStates, batch), lengths, positions: [0], training: false };
    await new RemoteModel(connection).forward(input);
  };

  it('give a tenant its tokens of a day once, whichever of them it calls', async () => {
    const [a] = replicas.gateways;
    await command('gateway', 'tenant', 'create', 'daily', '--tokens-per-day', `${DAY}`, '--state-dir', a.stateDir);
    const token = await replicas.token({ tenant: 'daily' });
    const connections = await Promise.all(
      replicas.gateways.map(({ address }) => connect({ address, ca: replicas.caFile, token, retry: once })),
    );
    const calls = Array.from({ length: CALLS }, (_, at) => forward(connections[at % 2]!, 1, ROWS));
    const codes = (await Promise.allSettled(calls)).map((call) => (call.status === 'fulfilled' ? 'OK' : call.reason.code));
    const count = (code: string): number => codes.filter((one) => one === code).length;
    assert.deepEqual([count('OK'), count('RATE_LIMITED')], [Math.floor(DAY / ROWS), codes.length - Math.floor(DAY / ROWS)], codes.join());
    for (const connection of connections) connection.close();
  });

  it('refuse no valid request while keys are rotated', async () => {
    const file = join(load.dir, 'worker.client');
    const flags = ['--token-url', `https://${replicas.admin}/oauth2/token`, '--keys-dir', replicas.keysDir];
    await command('gateway', 'client', 'add', 'worker', '--out', file, ...flags, '--state-dir', replicas.gateways[0].stateDir);
    const ca = replicas.caFile;
    const earlier = await connect({ address: replicas.address, ca, token: await replicas.token({ tenant: 'worker' }) });
    const rounds = new Array<number>(WORKERS).fill(0);
    let rotating = true;
    const rotations = (async () => {
      for (let done = 0; done < ROTATIONS; done++) {
        const before = [...rounds];
        await command('gateway', 'keys', 'rotate', '--keys-dir', replicas.keysDir);
        // Each worker has a token of the new key before the next one is made.
        while (rotating && rounds.some((round, at) => round < before[at]! + 2)) await pause(20);
      }
    })();
    const workers = rounds.map(async (_, worker) => {
      while (rotating) {
        // A token of its own, of either gateway, for a connection to either.
        const connection = await connect({ address: replicas.address, ca, tokenFile: file });
        await Promise.all([forward(connection, 1, ROWS), forward(earlier, 1, ROWS)]);
        connection.close();
        rounds[worker]!++;
      }
    });
    try {
      await Promise.race([rotations, Promise.all(workers)]);
    } finally {
      rotating = false;
      await Promise.all([rotations, ...workers]);
      earlier.close();
    }
    assert.ok(
      rounds.every((round) => round >= 2 * ROTATIONS),
      `${rounds}`,
    );
    // A client may ask again by itself: the gateways say that they have refused no token.
    for (const { admin } of replicas.gateways) assert.doesNotMatch((await load.ask(admin, '/metrics')).body, /code="TOKEN_/);
  });

  // The last one: it leaves one gateway.
  it('SIGTERM of one: its calls end, it gets no others, and no step is wrong, lost or charged twice', async () => {
    const undisturbed = await load.run('whole');
    const [leaving, staying] = replicas.gateways;
    const direct = await connect({
      address: leaving.address,
      ca: replicas.caFile,
      token: await replicas.token({ tenant: 'long' }),
      retry: once,
    });
    let moving: readonly string[] = [];
    let ended: ReturnType<typeof leaving.terminate> | undefined;
    /** Lanes whose call was under way at the SIGTERM, and was answered. */
    let finished = 0;
    const disturbed = await load.run('drained', {
      connected: async () => {
        moving = await load.trainersOf(leaving, 'GetModel', 'drained');
      },
      async atMark() {
        let answers = 0;
        const lanes = Promise.all(
          Array.from({ length: LANES }, async () => {
            try {
              for (;;) {
                await forward(direct, BATCH, SEQUENCE);
                answers++;
                if (ended !== undefined) finished++;
              }
            } catch (caught) {
              return CutlayerError.from(caught).code;
            }
          }),
        );
        while (answers < LANES) await pause(10);
        ended = leaving.terminate();
        for (const code of await lanes) assert.ok(code === 'DRAINING' || code === 'UNAVAILABLE', code);
      },
    });
    direct.close();
    const { code, log } = (await ended)!;
    assert.equal(code, 0, log);
    assert.doesNotMatch(log, /still in flight/);
    // Some lanes may have been between two calls.
    assert.ok(finished >= LANES / 2, `${finished} of ${LANES} calls under way were answered`);
    for (const [tenant, { result }] of disturbed) assert.deepEqual(result, undisturbed.get(tenant)!.result, tenant);
    assert.ok(moving.length > 0, 'a trainer was at the gateway that was drained');
    const stayed = await load.trainersOf(staying, 'Backward', 'drained');
    assert.deepEqual(
      moving.filter((tenant) => !stayed.includes(tenant)),
      [],
      'each went on at the other one',
    );
    for (const tenant of disturbed.keys())
      assert.deepEqual(await load.chargedTo(`${tenant}-drained`), await load.chargedTo(`${tenant}-whole`), tenant);
    // New connections find the other one.
    for (let at = 0; at < 4; at++) (await load.open(replicas.address, await replicas.token({ tenant: 'late' }))).close();
  });
});

/** [batch, …]: the same sequence in each row. */
function repeated({ shape, data }: Tensor<'float32'>, batch: number): Tensor<'float32'> {
  const all = new Float32Array(batch * data.length);
  for (let at = 0; at < batch; at++) all.set(data, at * data.length);
  return f32([batch, ...shape.slice(1)], all);
}
