/** Participants of a real coordinator, training through a real gateway. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { trainedDefences } from '../../../clients/typescript/adapters/trained-on.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { padLengths } from '../../../clients/typescript/defences/pad-lengths.js';
import { parseRecorded, recordedDefences } from '../../../clients/typescript/defences/recorded.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';
import { fixedData } from '../../../clients/typescript/federation/data/fixed-data.js';
import { flatValues, parametersOf, setFlatValues } from '../../../clients/typescript/federation/federated-adapter.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../../clients/typescript/federation/participant-events.js';
import { PAYLOAD, readRound } from '../../../clients/typescript/federation/round-record.js';
import { loadAdapter, schedule, TrainingClient, train } from '../../../clients/typescript/index.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import { depth } from '../../support/exhaustive.js';
import { type FederationRig, federationRig } from '../../support/federation-rig.js';

const difference = (a: Float32Array, b: Float32Array): number => a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);

/**
 * All members enlist and answer in these tests, so no stage waits for its cutoff, and a slow machine
 * must not reach one.
 */
const untimed = { enlistSeconds: 3600, stageSeconds: 3600, gatherSeconds: 3600, trainSeconds: 3600 };

describe('participants of a federation', function () {
  // The slowest takes 2 s on an idle machine and 36 s on a crowded one: this ends only a test that hangs.
  this.timeout(600_000);
  let rig: FederationRig;
  before(async () => {
    rig = await federationRig();
  });
  after(() => rig?.close());

  it('train one adapter under secure aggregation, evaluate it, and have it in PEFT format', async () => {
    const federation = await rig.found({ evaluation: {}, rounds: { count: 2, ...untimed } });
    const events: ParticipantEvent[] = [];
    const directory = join(rig.dir, 'site0');
    const state = await MemberStore.open(directory);
    const participants = [
      await federation.participant(0, { state, onEvent: (event) => events.push(event) }),
      await federation.participant(1),
      await federation.participant(2),
    ];
    const summaries = await Promise.all(participants.map((participant) => participant.run()));
    assert.deepEqual(
      summaries.map(({ stopped, rounds, satOut }) => ({ stopped, rounds, satOut })),
      Array.from({ length: 3 }, () => ({ stopped: 'finished', rounds: 2, satOut: 0 })),
    );
    const [report] = await federation.coordinator.status(federation.open.id);
    assert.deepEqual([report!.released, report!.aborted], [2, 0]);
    const promoted = events.filter((event) => event.type === 'promoted');
    assert.ok(promoted.length >= 1 && promoted[0]!.cohort !== undefined, 'a version was promoted, with the metrics of the cohort');
    // In a round of evaluation: when a version is promoted, the next round may be faster than the member's own measurement.
    const losses = new Map(events.flatMap((event) => (event.type === 'measured' ? [[event.version, event.current.loss] as const] : [])));
    assert.deepEqual([...losses.keys()].sort(), [0, 1, 2]);
    assert.ok(losses.get(2)! < losses.get(0)!, 'the loss on held-out examples falls');
    const adapter = await loadAdapter(join(directory, 'adapter'), { bundle: rig.bundle });
    const wanted = await federation.api(0).version(summaries[0]!.version!);
    assert.deepEqual(flatValues(adapter), wanted);
    assert.equal(readRound(state)?.active, null, 'secrets of rounds are gone');
    assert.equal(state.read(PAYLOAD), undefined);
  });

  it('train under the defences that they ask for, and record them beside the adapter', async () => {
    const defended = new Defences(
      [rowNoise({ scale: 2, deviation: await rowDeviation(rig.bundle), secret: NoiseSecret.fresh() })],
      padLengths([40]),
    );
    const firstOf = async (defences: Defences | undefined, site: string) => {
      const federation = await rig.found({ cohort: { min: 1 }, secureAggregation: null, rounds: { count: 1, ...untimed } }, 1);
      const sent: ForwardRequest[] = [];
      const call = (method: string, request: ForwardRequest, options?: object): Promise<unknown> => {
        if (method === 'Forward') sent.push(request);
        return (rig.connection.call as (...given: readonly unknown[]) => Promise<unknown>)(method, request, options);
      };
      const connection = Object.create(rig.connection, { call: { value: call } }) as typeof rig.connection;
      const state = await MemberStore.open(join(rig.dir, site));
      await (await federation.participant(0, { state, connection, defences })).run();
      return { first: sent[0]!, recorded: parseRecorded(await trainedDefences(join(rig.dir, site, 'adapter'))) };
    };
    const [plain, other] = [await firstOf(undefined, 'plain'), await firstOf(defended, 'defended')];
    assert.ok(plain.first.lengths!.every((length) => length < 40) && other.first.lengths!.every((length) => length === 40));
    assert.notDeepEqual(
      Buffer.from(other.first.hiddenStates!.data!).subarray(0, 64),
      Buffer.from(plain.first.hiddenStates!.data!).subarray(0, 64),
    );
    assert.deepEqual(plain.recorded, []);
    assert.deepEqual(other.recorded, recordedDefences(defended.all));
  });

  const rates: readonly (readonly ['constant' | 'cosine', number | null])[] = [
    ['constant', null],
    ['cosine', 2],
  ];
  for (const [name, steps] of depth(rates, rates.slice(1)))
    it(`come to what plain training comes to when there is one of them, with rounds of ${steps ?? 'an epoch'} and a ${name} rate`, async () => {
      const training = { epochs: 1, steps, batchSize: 4, learningRate: 0.02, schedule: name };
      const settings = { cohort: { min: 1 }, secureAggregation: null, rounds: { count: 3, ...untimed }, training };
      const federation = await rig.found(settings, 1);
      const examples = rig.examples(0, 10);
      const totalSteps = 3 * (steps ?? 3);
      const summary = await (await federation.participant(0, { data: fixedData(examples) })).run();
      assert.equal(summary.rounds, 3);
      const adapter = await rig.adapter();
      setFlatValues(adapter, federation.initial);
      const client = new TrainingClient(rig.bundle, rig.connection, adapter, {
        learningRate: 0.02,
        schedule: schedule(name, { totalSteps }),
        optimizer: { weightDecay: 0 },
        maxGradNorm: 1,
      });
      await train(client, { outDir: join(rig.dir, `plain-${name}`), examples, totalSteps, batchSize: 4, tensorboard: false });
      const off = difference(await federation.api(0).version(3), flatValues(adapter));
      assert.ok(off < 1e-6, `off by ${off}`);
      assert.ok(difference(federation.initial, flatValues(adapter)) > 1e-3, 'training moved the adapter');
    });

  it('come to what one comes to when they are alike, under secure aggregation to the grid of its fixed point', async () => {
    const settings = { secureAggregation: { bound: 1 }, rounds: { count: 2, ...untimed } };
    const federation = await rig.found(settings);
    const examples = rig.examples(0, 8);
    await Promise.all([0, 1, 2].map(async (member) => (await federation.participant(member, { data: fixedData(examples) })).run()));
    const adapter = await rig.adapter();
    setFlatValues(adapter, federation.initial);
    const client = new TrainingClient(rig.bundle, rig.connection, adapter, {
      learningRate: 0.02,
      optimizer: { weightDecay: 0 },
      maxGradNorm: 1,
    });
    await train(client, { outDir: join(rig.dir, 'alike'), examples, totalSteps: 4, batchSize: 4, tensorboard: false });
    const off = difference(await federation.api(0).version(2), flatValues(adapter));
    assert.ok(off < 1e-6, `off by ${off}`);
  });

  it('stay nearer to where they began with FedProx, and the order of parameters is the manifest’s', async () => {
    const moved = async (strategy: object) => {
      const federation = await rig.found(
        {
          cohort: { min: 1 },
          secureAggregation: null,
          rounds: { count: 1, ...untimed },
          strategy,
          training: { batchSize: 4, learningRate: 0.02, epochs: 3 },
        },
        1,
      );
      await (await federation.participant(0)).run();
      assert.deepEqual(federation.open.manifest.parameters, parametersOf(await rig.adapter()));
      const version = await federation.api(0).version(1);
      return Math.hypot(...version.map((value, at) => value - federation.initial[at]!));
    };
    const [free, pulled] = [await moved({ kind: 'fedavg' }), await moved({ kind: 'fedprox', mu: 30 })];
    assert.ok(pulled < 0.8 * free, `moved by ${pulled}, without the term by ${free}`);
  });

  it('wait for a coordinator that is away, longer each time, and go on when it is back', async () => {
    const federation = await rig.found({ cohort: { min: 1 }, secureAggregation: null, rounds: { count: 1, ...untimed } }, 1);
    const real = federation.api(0);
    const codes: readonly ErrorCode[] = ['UNAVAILABLE', 'TOKEN_EXPIRED', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'];
    let asked = 0;
    let submitted = 0;
    const api: FederationApi = Object.assign(Object.create(real) as FederationApi, {
      nextTask: async (...given: Parameters<FederationApi['nextTask']>) => {
        const code = codes[asked++];
        if (code !== undefined) throw new CutlayerError(code, 'away');
        return real.nextTask(...given);
      },
      submit: async (round: number, payload: Uint8Array) => {
        if (submitted++ === 0) throw new CutlayerError('UNAVAILABLE', 'away');
        await real.submit(round, payload);
      },
    });
    const events: ParticipantEvent[] = [];
    const environment = { now: () => performance.now(), random: () => 1, sleep: async () => undefined };
    const summary = await (await federation.participant(0, { api, environment, onEvent: (event) => events.push(event) })).run();
    assert.deepEqual([summary.stopped, summary.rounds, summary.satOut], ['finished', 1, 0]);
    const offline = events.filter((event) => event.type === 'offline');
    assert.deepEqual(
      offline.map(({ code, delayMs }) => [code, delayMs]),
      [...codes.map((code, at) => [code, 1000 * 2 ** at]), ['UNAVAILABLE', 1000]],
    );
    assert.equal(events.filter((event) => event.type === 'online').length, 2);
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'submitted' ? [event.again] : [])),
      [true],
      'the same bytes went again',
    );
  });

  it('write the adapter of a broadcast version also when they were killed before they had it', async () => {
    const federation = await rig.found({ cohort: { min: 1 }, secureAggregation: null, rounds: { count: 1, ...untimed } }, 1);
    const directory = join(rig.dir, 'late');
    const real = federation.api(0);
    const stop = new AbortController();
    const api: FederationApi = Object.assign(Object.create(real) as FederationApi, {
      version: async (version: number) => {
        if (version === 0) return real.version(0);
        stop.abort();
        throw new CutlayerError('CANCELLED', 'killed');
      },
    });
    const first = await federation.participant(0, { api, state: await MemberStore.open(directory) });
    assert.equal((await first.run(stop.signal)).stopped, 'cancelled');
    await first.close();
    const second = await federation.participant(0, { state: await MemberStore.open(directory) });
    await second.run();
    assert.deepEqual(flatValues(await loadAdapter(join(directory, 'adapter'), { bundle: rig.bundle })), await real.version(1));
  });
});
