/** A member that is killed at any point of a round: started again on the same state it says the same bytes, and the round ends with its update in it, once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fixedData } from '../../../clients/typescript/federation/data/fixed-data.js';
import { MemberStore } from '../../../clients/typescript/federation/member-store.js';
import type { ParticipantEvent } from '../../../clients/typescript/federation/participant-events.js';
import { PAYLOAD, readRound } from '../../../clients/typescript/federation/round-record.js';
import { CutlayerError } from '../../../src/errors.js';
import { signBroadcast } from '../../../src/protocol/federation/chain.js';
import type { FederationApi } from '../../../src/protocol/federation/federation-api.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { type FederationRig, federationRig, type TestFederation } from '../../support/federation-rig.js';

const settings = {
  training: { batchSize: 2, steps: 4, learningRate: 0.02 },
  rounds: { count: 1, enlistSeconds: 0.05, stageSeconds: 120, trainSeconds: 120 },
};
const stages = ['enlist', 'shareKeys', 'submit', 'confirm', 'unmask'] as const;

/** Counts what a participant does to the world, and ends it at one of these. */
class Killer {
  readonly #at: number;
  readonly #onDeath: () => void;
  readonly stop = new AbortController();
  seen = 0;

  constructor(at: number, onDeath: () => void = () => undefined) {
    this.#at = at;
    this.#onDeath = onDeath;
  }

  get dead(): boolean {
    return this.stop.signal.aborted;
  }

  /** A point between two effects: the process dies here, or goes on. A dead one has no effects. */
  point(): void {
    if (!this.dead && this.seen++ === this.#at) {
      this.#onDeath();
      this.stop.abort();
    }
    if (this.dead) throw new CutlayerError('CANCELLED', 'killed');
  }
}

/** Records what reaches the coordinator; an answer may come when the asker is dead. */
function mortalApi(api: FederationApi, killer: Killer, sent: Map<string, Set<string>>): FederationApi {
  const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');
  const stage = (name: (typeof stages)[number]) => async (round: number, message: never) => {
    killer.point();
    const key = `${name} of round ${round}`;
    sent.set(key, (sent.get(key) ?? new Set()).add(digest(message)));
    await api[name](round, message);
    killer.point();
  };
  return {
    manifest: () => api.manifest(),
    nextTask: (request, signal) => api.nextTask(request, signal),
    broadcasts: (from) => api.broadcasts(from),
    version: (version) => api.version(version),
    ...(Object.fromEntries(stages.map((name) => [name, stage(name)])) as unknown as Pick<FederationApi, (typeof stages)[number]>),
  };
}

describe('a participant that is killed', function () {
  this.timeout(depth(1_800_000, 900_000));
  let rig: FederationRig;
  before(async () => {
    rig = await federationRig();
  });
  after(() => rig?.close());

  /** A whole round; the first member dies once, at the given point, and is started again. */
  const roundWithDeath = async (federation: TestFederation, at: number) => {
    const stop = new AbortController();
    const others = [1, 2].map(async (member) => (await federation.participant(member, { evaluateLocally: false })).run(stop.signal));
    const [first, again] = [join(rig.dir, federation.open.id), join(rig.dir, `${federation.open.id}-again`)];
    mkdirSync(first);
    const sent = new Map<string, Set<string>>();
    const data = fixedData(rig.examples(0, 8));
    const events: ParticipantEvent[] = [];
    const life = async (killer: Killer, directory: string) => {
      try {
        const options = {
          api: mortalApi(federation.api(0), killer, sent),
          state: await MemberStore.scratch(directory, { onWrite: () => killer.point() }),
          data,
          checkpointEvery: 2,
          evaluateLocally: false,
        };
        return await (await federation.participant(0, { ...options, onEvent: (event) => events.push(event) })).run(killer.stop.signal);
      } catch (caught) {
        if (!killer.dead) throw caught;
        return undefined;
      }
    };
    // What the kill has left, in the middle of a transaction as well: nothing that the dead participant still does reaches the copy.
    const killer = new Killer(at, () => cpSync(first, again, { recursive: true }));
    await life(killer, first);
    const summary = killer.dead ? await life(new Killer(Number.POSITIVE_INFINITY), again) : undefined;
    stop.abort();
    await Promise.all(others);
    return { points: killer.seen, died: killer.dead, summary, sent, directory: killer.dead ? again : first, events };
  };

  const aggregates = async (federation: TestFederation) => {
    const broadcasts = await federation.api(1).broadcasts(0);
    return broadcasts
      .map(
        ({ bytes }) =>
          JSON.parse(new TextDecoder().decode(bytes)) as {
            readonly kind: string;
            readonly round?: number;
            readonly participants?: readonly string[];
          },
      )
      .filter(({ kind }) => kind === 'aggregate');
  };

  const survives = async (more: Readonly<Record<string, unknown>>, stride: number) => {
    let died = true;
    let points = 0;
    for (let at = 0; died; at += stride) {
      const federation = await rig.found({ ...settings, ...more });
      const result = await roundWithDeath(federation, at);
      died = result.died;
      points = result.points;
      for (const [what, digests] of result.sent)
        assert.equal(digests.size, 1, `killed at point ${at}: ${what} was answered with ${digests.size} different messages`);
      const [aggregate] = await aggregates(federation);
      assert.deepEqual([aggregate?.round, aggregate?.participants], [1, ['site0', 'site1', 'site2']], `killed at point ${at}`);
      const files = readdirSync(result.directory).map((name) => readFileSync(join(result.directory, name), 'latin1'));
      assert.ok(files.join('').includes(federation.open.id), `killed at point ${at}: the files are the member's`);
      assert.ok(!files.some((content) => content.includes('polynomials')), `killed at point ${at}: secrets are overwritten`);
      const state = MemberStore.readOnly(result.directory);
      assert.deepEqual(readRound(state), { round: 1, active: null }, `killed at point ${at}: the round is over`);
      assert.equal(state.read(PAYLOAD), undefined, `killed at point ${at}: nothing of the round is left`);
      await state.close();
    }
    return points;
  };

  thorough('says nothing twice in two ways, and its update is in the sum once, wherever it was killed', async () => {
    // More than a hundred rounds in the exhaustive run.
    assert.ok((await survives({}, depth(1, 18))) > 90, 'every effect of a round was a point to die at');
  });

  thorough('the same without secure aggregation', async () => {
    assert.ok((await survives({ secureAggregation: null }, depth(2, 23))) > 50);
  });

  thorough('goes on with its training from the last checkpoint', async () => {
    const federation = await rig.found(settings);
    const killer = new Killer(Number.POSITIVE_INFINITY);
    let over = false;
    const disk = MemberStore.memory({ onWrite: () => over || killer.point() });
    const stop = new AbortController();
    const others = [1, 2].map(async (member) => (await federation.participant(member, { evaluateLocally: false })).run(stop.signal));
    const steps: number[] = [];
    const options = { state: disk, data: fixedData(rig.examples(0, 8)), checkpointEvery: 2, evaluateLocally: false };
    const onEvent = (event: ParticipantEvent): void => {
      if (event.type !== 'step') return;
      steps.push(event.stepInRound);
      if (steps.length === 3) killer.stop.abort();
    };
    const first = await federation.participant(0, { ...options, onEvent });
    assert.equal((await first.run(killer.stop.signal)).stopped, 'cancelled');
    over = true;
    const again = await (await federation.participant(0, { ...options, onEvent })).run();
    assert.equal(again.rounds, 1);
    assert.deepEqual(steps, [1, 2, 3, 3, 4], 'the third step was taken again from the checkpoint after the second');
    stop.abort();
    await Promise.all(others);
  });

  it('does not begin a round again that its state says is over, nor submits with a payload file that was changed', async () => {
    const federation = await rig.found({ ...settings, rounds: { ...settings.rounds, trainSeconds: 120, stageSeconds: 120 } });
    const stop = new AbortController();
    const others = [1, 2].map(async (member) => (await federation.participant(member, { evaluateLocally: false })).run(stop.signal));
    const disk = MemberStore.memory();
    const api = federation.api(0);
    const killer = new Killer(Number.POSITIVE_INFINITY);
    const cut: FederationApi = { ...mortalApi(api, killer, new Map()), submit: async () => killer.stop.abort() };
    await (await federation.participant(0, { api: cut, state: disk, evaluateLocally: false })).run(killer.stop.signal);
    const payload = disk.read(PAYLOAD);
    assert.ok(payload !== undefined);
    payload[0]! ^= 1;
    await disk.write(PAYLOAD, payload);
    const seen: ParticipantEvent[] = [];
    const end = new AbortController();
    const onEvent = (event: ParticipantEvent): void => {
      seen.push(event);
      if (event.type === 'satOut') end.abort();
    };
    await (await federation.participant(0, { state: disk, evaluateLocally: false, onEvent })).run(end.signal);
    const [refusal] = seen.filter((event) => event.type === 'satOut');
    assert.match(refusal?.message ?? '', /the payload in the state directory is not what was submitted first/);
    assert.ok(!seen.some((event) => event.type === 'submitted'));
    stop.abort();
    await Promise.all(others);
  });

  thorough('counts its privacy before the payload leaves, and refuses what goes over the budget', async () => {
    const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 9 };
    const federation = await rig.found({ ...settings, privacy, rounds: { ...settings.rounds, count: 5 } });
    const disk = MemberStore.memory();
    const sent: { readonly round: number; readonly event: string }[][] = [];
    const api: FederationApi = Object.assign(Object.create(federation.api(0)) as FederationApi, {
      submit: async (round: number, payload: Uint8Array) => {
        sent.push(disk.all('SELECT round, event FROM ledger'));
        await federation.api(0).submit(round, payload);
      },
    });
    const stop = new AbortController();
    const others = [1, 2].map(async (member) => (await federation.participant(member, { evaluateLocally: false })).run(stop.signal));
    const events: ParticipantEvent[] = [];
    const participant = await federation.participant(0, {
      api,
      state: disk,
      evaluateLocally: false,
      rounds: 1,
      onEvent: (event) => events.push(event),
    });
    await participant.run();
    assert.equal(sent.length, 1);
    const [[spent]] = sent as [[{ readonly round: number; readonly event: string }]];
    assert.equal(spent.round, 1);
    assert.match(spent.event, /^\{"kind":"distributedGaussian"/, 'written before it was sent');
    const { privacy: statement } = participant;
    assert.ok(
      statement !== undefined && statement.unit === 'client' && statement.rounds === 1 && statement.epsilon! > 3 && statement.epsilon! <= 9,
    );
    // A coordinator that has forgotten what was spent: the member's own account says no.
    for (let round = 2; round < 40; round++) disk.run('INSERT INTO ledger VALUES (?, ?)', round + 1000, spent.event);
    const refused: ParticipantEvent[] = [];
    const end = new AbortController();
    const onEvent = (event: ParticipantEvent): void => {
      refused.push(event);
      if (event.type === 'satOut') end.abort();
    };
    const task = { kind: 'enlist', round: 50, purpose: 'train', version: 1, promoted: 1 } as const;
    const asking: FederationApi = Object.assign(Object.create(federation.api(0)) as FederationApi, {
      nextTask: async () => ({ task, broadcasts: (await federation.api(0).broadcasts(0)).length, remainingMs: 0 }),
    });
    await (await federation.participant(0, { api: asking, state: disk, evaluateLocally: false, onEvent })).run(end.signal);
    const [refusal] = refused.filter((event) => event.type === 'satOut');
    assert.equal(refusal?.code, 'BUDGET_EXHAUSTED');
    stop.abort();
    await Promise.all(others);
  });

  it('submits nothing whose cost it could not write down', async () => {
    const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 9 };
    const federation = await rig.found({ ...settings, privacy, cohort: { min: 1 }, secureAggregation: null }, 1);
    let submitted = 0;
    const api: FederationApi = Object.assign(Object.create(federation.api(0)) as FederationApi, { submit: async () => void submitted++ });
    const state = MemberStore.memory({
      onWrite: (moment, statement) => {
        if (moment === 'before' && statement.startsWith('INSERT INTO ledger')) throw new CutlayerError('IO_ERROR', 'the disk is full');
      },
    });
    const participant = await federation.participant(0, { api, state, evaluateLocally: false });
    await assert.rejects(participant.run(), { code: 'IO_ERROR', message: 'the disk is full' });
    assert.equal(submitted, 0);
  });

  it('keeps the chain that it has seen: a coordinator that goes back and tells it otherwise is refused', async () => {
    const federation = await rig.found(settings);
    const disk = MemberStore.memory();
    await Promise.all(
      [federation.participant(0, { state: disk }), federation.participant(1), federation.participant(2)].map(async (participant) =>
        (await participant).run(),
      ),
    );
    const { open, coordinatorKey } = federation;
    const story = signBroadcast(
      open.id,
      null,
      { kind: 'begin', version: 0, digest: open.manifest.initialDigest },
      99,
      coordinatorKey.privateKey,
    );
    const other = signBroadcast(
      open.id,
      story.head,
      { kind: 'finish', reason: 'over', order: null, privacy: null },
      99,
      coordinatorKey.privateKey,
    );
    const known = (await federation.api(0).broadcasts(0)).length;
    const api: FederationApi = Object.assign(Object.create(federation.api(0)) as FederationApi, {
      nextTask: async () => ({ task: { kind: 'wait', reason: '' }, broadcasts: known + 1, remainingMs: 0 }),
      broadcasts: async () => [{ ...other.signed }],
    });
    const participant = await federation.participant(0, { api, state: disk, evaluateLocally: false });
    await assert.rejects(participant.run(), (error) => error instanceof CutlayerError && error.code === 'BROADCAST_REJECTED');
  });
});
