/**
 * The federation service between a channel and a coordinator: who may ask what, and that what is
 * said arrives.
 */
import assert from 'node:assert/strict';
import { connect } from '../../../clients/typescript/connection/connect.js';
import type { FederationReport } from '../../../src/coordinator/coordinator-api.js';
import { reportOf } from '../../../src/coordinator/service/reports.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { Enlistment } from '../../../src/protocol/federation/enlistment.js';
import type { Task, TaskAnswer } from '../../../src/protocol/federation/federation-api.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import type { Scope } from '../../../src/server/auth/scopes.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { type Script, type ScriptedCoordinator, startScriptedCoordinator } from '../../support/scripted-coordinator.js';

const FEDERATION = 'ab'.repeat(32);
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

const enlistment = (participant: string): Enlistment => ({
  advertisement: {
    participant,
    encryptionKey: bytes(32, 1),
    maskKey: bytes(32, 2),
    selfMaskCommitment: bytes(32, 3),
    context: bytes(32, 4),
    signature: bytes(64, 5),
  },
  purpose: 'evaluate',
  chainHead: 'cd'.repeat(32),
  examples: 12,
});

const report: FederationReport = {
  federation: FEDERATION,
  name: 'ward notes',
  state: 'running',
  reason: 'round 3 is training',
  round: {
    round: 3,
    purpose: 'train',
    stage: 'submitting',
    remainingMs: 1500,
    cohort: ['a', 'b', 'c'],
    answered: ['b'],
    awaited: ['a', 'c'],
    stageMs: 700,
  },
  versions: [
    { version: 0, parent: null, round: null, status: 'superseded', digest: 'aa', participants: 0, current: null, earlier: null, at: 1 },
    {
      version: 1,
      parent: 0,
      round: 1,
      status: 'promoted',
      digest: 'bb',
      participants: 3,
      current: { loss: 0.25, accuracy: 0.5, exactMatch: 0.125 },
      earlier: { loss: 0.5, accuracy: 0.25, exactMatch: 0 },
      at: 1_790_000_000_000,
    },
  ],
  released: 1,
  aborted: 1,
  privacy: { unit: 'client', epsilon: 1.5, delta: 1e-5, rounds: 1, sampling: 'none', maxEpsilon: 8 },
  bytesIn: 2 ** 40,
  bytesOut: 3,
  broadcasts: 2,
  chainHead: 'ef'.repeat(32),
  orders: 2,
  recent: [
    { round: 2, purpose: 'evaluate', version: null, aborted: 'too few members', at: 5, cohort: 3, lost: ['a'] },
    { round: 1, purpose: 'train', version: 1, aborted: null, at: 4, cohort: 3, lost: [] },
  ],
  members: [
    { name: 'a', seenAt: null },
    { name: 'b', seenAt: 1_790_000_000_001 },
  ],
};

async function refused(run: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await run.then(
    () => assert.fail(`expected ${code}, got an answer`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CutlayerError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
}

describe('the federation service', () => {
  const script: Script = {};
  let running: ScriptedCoordinator;
  const channel = (tenant: string, ...scopes: Scope[]) => running.as(tenant, ...scopes);
  const lastAsked = () => running.asked.at(-1);

  before(async () => {
    running = await startScriptedCoordinator(script);
  });
  after(() => running.close());

  it("takes the token's tenant as the member's name", async () => {
    const acme = await channel('acme', 'federate');
    const { manifest } = await acme.call('GetFederation', { federation: FEDERATION });
    assert.deepEqual([...manifest!.bytes, ...manifest!.signature], [1, 2, 3]);
    assert.deepEqual(lastAsked(), { as: 'acme', federation: FEDERATION, what: 'manifest', args: [] });
    await acme.call('GetBroadcasts', { federation: FEDERATION, from: 1 });
    assert.deepEqual(lastAsked(), { as: 'acme', federation: FEDERATION, what: 'broadcasts', args: [1] });
  });

  it('lets a founder read without being a member', async () => {
    const founder = await channel('vendor', 'admin');
    script.parameters = Float32Array.of(1, -2.5);
    const { parameters } = await founder.call('GetVersion', { federation: FEDERATION, version: 4 });
    assert.deepEqual([...decodeTensor(parameters, { name: 'parameters', shape: [2] }).data], [1, -2.5]);
    assert.deepEqual(lastAsked(), { as: 'founder', federation: FEDERATION, what: 'version', args: [4] });
    await founder.call('GetBroadcasts', { federation: FEDERATION, from: 2 });
    assert.deepEqual(lastAsked(), { as: 'founder', federation: FEDERATION, what: 'broadcasts', args: [2] });
  });

  it('refuses a token without the scope of a method', async () => {
    const tenant = await channel('acme', 'train', 'infer');
    const member = await channel('acme', 'federate');
    const founder = await channel('vendor', 'admin');
    const federation = FEDERATION;
    const before = running.asked.length;
    await refused(tenant.call('NextTask', { federation }), 'SCOPE_MISSING', /federate/);
    await refused(tenant.call('GetFederation', { federation }), 'SCOPE_MISSING', /federate or admin/);
    await refused(founder.call('NextTask', { federation }), 'SCOPE_MISSING', /federate/);
    await refused(founder.call('Enlist', { federation, round: 1 }), 'SCOPE_MISSING', /federate/);
    await refused(founder.call('ShareKeys', { federation, round: 1 }), 'SCOPE_MISSING', /federate/);
    await refused(founder.call('Submit', { federation, round: 1 }), 'SCOPE_MISSING', /federate/);
    await refused(founder.call('Confirm', { federation, round: 1 }), 'SCOPE_MISSING', /federate/);
    await refused(founder.call('Unmask', { federation, round: 1 }), 'SCOPE_MISSING', /federate/);
    await refused(member.call('CreateFederation', {}), 'SCOPE_MISSING', /admin/);
    await refused(member.call('ControlFederation', { federation, start: true }), 'SCOPE_MISSING', /admin/);
    await refused(member.call('GetStatus', {}), 'SCOPE_MISSING', /admin/);
    await refused(member.call('GetCoordinator', {}), 'SCOPE_MISSING', /admin/);
    assert.equal(running.asked.length, before, 'nothing of it has reached the coordinator');
  });

  it("refuses each message that a member sends under another one's name", async () => {
    const acme = await channel('acme', 'federate');
    const call = { federation: FEDERATION, round: 2 };
    const before = running.asked.length;
    const theirs = { participant: 'beta', survivors: ['acme', 'beta'], signature: bytes(64, 1) };
    const { purpose: _, ...rest } = enlistment('beta');
    await refused(acme.call('Enlist', { ...call, enlistment: { ...rest, purpose: 'ROUND_PURPOSE_TRAIN' } }), 'NOT_A_MEMBER', /acme's/);
    const shares = [
      { from: 'acme', to: 'beta', ciphertext: bytes(80, 1) },
      { from: 'beta', to: 'acme', ciphertext: bytes(80, 1) },
    ];
    await refused(acme.call('ShareKeys', { ...call, shares }), 'NOT_A_MEMBER', /shares\.from/);
    await refused(acme.call('Confirm', { ...call, confirmation: theirs }), 'NOT_A_MEMBER', /confirmation/);
    await refused(acme.call('Unmask', { ...call, revealed: { participant: 'beta' } }), 'NOT_A_MEMBER', /revealed/);
    assert.equal(running.asked.length, before);
  });

  it("hands a member's messages on as they were sent", async () => {
    const acme = await channel('acme', 'federate');
    const call = { federation: FEDERATION, round: 7 };
    const { purpose: _, ...rest } = enlistment('acme');
    await acme.call('Enlist', { ...call, enlistment: { ...rest, purpose: 'ROUND_PURPOSE_EVALUATE' } });
    const [round, entry] = lastAsked()!.args as [number, Enlistment];
    assert.equal(round, 7);
    assert.deepEqual(plain(entry), plain(enlistment('acme')));
    await acme.call('ShareKeys', { ...call, shares: [{ from: 'acme', to: 'beta', ciphertext: bytes(80, 9) }] });
    assert.deepEqual(plain(lastAsked()!.args), plain([7, [{ from: 'acme', to: 'beta', ciphertext: bytes(80, 9) }]]));
    await acme.call('Submit', { ...call, payload: bytes(8, 6) });
    assert.deepEqual(lastAsked()!.args, [7, bytes(8, 6)]);
    await acme.call('Confirm', { ...call, confirmation: { participant: 'acme', survivors: ['acme'], signature: bytes(64, 2) } });
    assert.deepEqual(plain(lastAsked()!.args), plain([7, { participant: 'acme', survivors: ['acme'], signature: bytes(64, 2) }]));
    const shares = [{ owner: 'beta', share: bytes(32, 3) }];
    const revealed = { participant: 'acme', maskKeyShares: shares, selfMaskShares: [], signature: bytes(64, 4) };
    await acme.call('Unmask', { ...call, revealed });
    assert.deepEqual(plain(lastAsked()!.args), plain([7, revealed]));
  });

  it('gives a payload memory of its own, at which a row of floats can begin', async () => {
    const acme = await channel('acme', 'federate');
    for (const federation of [FEDERATION, 'f'.repeat(64)]) {
      await acme.call('Submit', { federation, round: 1, payload: bytes(8, 6) });
      const payload = lastAsked()!.args[1] as Uint8Array;
      assert.deepEqual([payload.byteOffset, payload.buffer.byteLength], [0, 8]);
    }
  });

  const tasks: readonly Task[] = [
    { kind: 'wait', reason: 'for two more members' },
    { kind: 'enlist', round: 3, purpose: 'evaluate', version: 5, promoted: 4 },
    { kind: 'shareKeys', round: 3, cohort: [enlistment('acme'), enlistment('beta')] },
    { kind: 'submit', round: 3, cohort: [], inbox: [{ from: 'beta', to: 'acme', ciphertext: bytes(80, 1) }] },
    { kind: 'confirm', round: 3, survivors: ['acme', 'beta'] },
    { kind: 'unmask', round: 3, confirmations: [{ participant: 'beta', survivors: ['acme', 'beta'], signature: bytes(64, 1) }] },
    { kind: 'finished', reason: 'ten rounds were wanted' },
  ];
  for (const task of tasks) {
    it(`tells a member to ${task.kind}, with all that belongs to it`, async () => {
      script.nextTask = async () => ({ task, broadcasts: 6, remainingMs: 1234.5 });
      const acme = await channel('acme', 'federate');
      const answer = await acme.call('NextTask', { federation: FEDERATION, doneRound: 2, doneStage: 'STAGE_SHARING', canEvaluate: true });
      const { kind, ...fields } = task;
      assert.equal(answer.task, kind);
      const got = JSON.stringify(plain(answer[kind])).replaceAll('ROUND_PURPOSE_EVALUATE', 'evaluate');
      assert.deepEqual(JSON.parse(got), plain(fields));
      assert.deepEqual([answer.broadcasts, answer.remainingMs], [6, 1235]);
      assert.deepEqual(lastAsked()!.args, [
        { waitMs: 0, broadcastsKnown: 0, newExamplesReady: false, canEvaluate: true, done: { round: 2, stage: 'sharing' } },
      ]);
    });
  }

  it('cuts a wait so that the answer comes before the deadline', async () => {
    const acme = await channel('acme', 'federate');
    script.nextTask = async () => ({ task: { kind: 'wait', reason: '' }, broadcasts: 0, remainingMs: 0 });
    const waitOf = async (waitMs: number, deadlineMs: number) => {
      await acme.call('NextTask', { federation: FEDERATION, waitMs }, { deadlineMs });
      return (lastAsked()!.args[0] as { waitMs: number }).waitMs;
    };
    assert.equal(await waitOf(500, 30_000), 500);
    const cut = await waitOf(90_000, 30_000);
    assert.ok(cut > 27_000 && cut <= 29_000, `${cut}`);
    // The server's own longest deadline counts too: 60 s.
    const longest = await waitOf(600_000, 300_000);
    assert.ok(longest > 57_000 && longest <= 59_000, `${longest}`);
  });

  it('a fault of the store is UNAVAILABLE, and names no file', async () => {
    for (const code of ['IO_ERROR', 'STORE_CORRUPT'] as const) {
      script.nextTask = async () => {
        throw new CutlayerError(code, 'store /srv/secret/coordinator.db: the disk is full');
      };
      const north = await running.as('north', 'federate');
      const request = { federation: 'ab'.repeat(32), waitMs: 0, broadcastsKnown: 0 };
      await assert.rejects(north.call('NextTask', request), (error: unknown) => {
        assert.ok(error instanceof CutlayerError && error.code === 'UNAVAILABLE' && error.retry === 'same', String(error));
        assert.ok(!/secret|disk|IO_ERROR/.test(JSON.stringify(error.toRecord())), error.message);
        return true;
      });
    }
  });

  it('leaves places for the others, however many calls one member makes', async () => {
    const waiting = later<void>();
    let waits = 0;
    script.nextTask = (signal) =>
      new Promise((_, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason));
        waits += 1;
        if (waits === 4) waiting.resolve();
      });
    const greedy = await channel('greedy', 'federate');
    const abort = new AbortController();
    const ask = () => greedy.call('NextTask', { federation: FEDERATION, waitMs: 30_000 }, { signal: abort.signal });
    const held = Array.from({ length: 4 }, () => refused(ask(), 'CANCELLED', /./));
    await waiting.promise;
    await refused(greedy.call('GetVersion', { federation: FEDERATION, version: 0 }), 'QUEUE_FULL', /4 calls of greedy are in flight/);
    const acme = await channel('acme', 'federate');
    assert.equal((await acme.call('GetBroadcasts', { federation: FEDERATION, from: 0 })).broadcasts.length, 1);
    abort.abort();
    await Promise.all(held);
    await greedy.call('GetBroadcasts', { federation: FEDERATION, from: 0 });
  });

  it('tells the coordinator that a waiting member has gone', async () => {
    const gone = later<CutlayerError>();
    const waiting = later<void>();
    script.nextTask = (signal) =>
      new Promise((_, reject) => {
        signal!.addEventListener('abort', () => {
          gone.resolve(signal!.reason);
          reject(signal!.reason);
        });
        waiting.resolve();
      });
    const acme = await channel('acme', 'federate');
    const abort = new AbortController();
    const call = acme.call('NextTask', { federation: FEDERATION, waitMs: 60_000 }, { signal: abort.signal });
    await waiting.promise;
    abort.abort();
    await refused(call, 'CANCELLED', /./);
    assert.equal((await gone.promise).code, 'CANCELLED');
  });

  it('is not taken for a gateway', async () => {
    const { address, ca } = running;
    await refused(
      connect({ address, ca, token: 'any' }),
      'UNIMPLEMENTED',
      /^gateway 127\.0\.0\.1:\d+: what listens there does not offer this service; is it the address of a coordinator/,
    );
  });

  it('is named when it refuses a token, for whoever holds tokens for two servers', async () => {
    const tenant = await channel('acme', 'train');
    await refused(
      tenant.call('NextTask', { federation: FEDERATION }),
      'SCOPE_MISSING',
      /^coordinator 127\.0\.0\.1:\d+: token: this call needs the scope federate/,
    );
  });

  it('says what is wrong with a request', async () => {
    const acme = await channel('acme', 'federate');
    const founder = await channel('vendor', 'admin');
    const federation = FEDERATION;
    await refused(acme.call('GetFederation', { federation: 'ABC' }), 'INVALID_ARGUMENT', /federation: expected an id of 64 hex/);
    await refused(acme.call('NextTask', { federation, doneRound: 3 }), 'INVALID_ARGUMENT', /doneStage/);
    await refused(acme.call('Enlist', { federation, round: 1 }), 'INVALID_ARGUMENT', /enlistment: expected one, got none/);
    const { purpose: _, ...rest } = enlistment('acme');
    await refused(acme.call('Enlist', { federation, round: 1, enlistment: rest }), 'INVALID_ARGUMENT', /purpose: expected train or/);
    await refused(founder.call('ControlFederation', { federation }), 'INVALID_ARGUMENT', /action: expected start, pause/);
    await refused(founder.call('ControlFederation', { federation, start: false }), 'INVALID_ARGUMENT', /start: expected true/);
    await refused(founder.call('ControlFederation', { federation, start: true }), 'NOT_THE_FOUNDER', /an admin token alone steers no/);
    const order = { number: 0, chainHead: 'x', signature: Buffer.alloc(3) };
    await refused(founder.call('ControlFederation', { federation, start: true, order }), 'INVALID_ARGUMENT', /order: expected a number/);
    await refused(founder.call('CreateFederation', {}), 'INVALID_ARGUMENT', /parameters: expected a tensor/);
    const parameters = encodeTensor(f32([2], [1, 2]), 'f32');
    await refused(founder.call('CreateFederation', { parameters }), 'INVALID_ARGUMENT', /manifest: expected one, got none/);
    await refused(
      founder.call('CreateFederation', { parameters: { ...parameters, data: Buffer.from(Float32Array.of(1, Number.NaN).buffer) } }),
      'NON_FINITE',
      /parameters/,
    );
  });

  it('shows a founder everything of a report, and takes each of its orders', async () => {
    script.report = report;
    const founder = await channel('vendor', 'admin');
    const { federations } = await founder.call('GetStatus', {});
    assert.deepEqual(federations.map(reportOf), [report]);
    assert.equal(lastAsked()!.federation, 'all');
    const order = { number: 3, chainHead: 'ef'.repeat(32), signature: Buffer.alloc(64, 7) };
    const orders = [
      [{ start: true }, { kind: 'start' }],
      [{ pause: true }, { kind: 'pause' }],
      [{ finish: true }, { kind: 'finish' }],
      [{ rollback: 0 }, { kind: 'rollback', version: 0 }],
      [{ skip: { member: 'b', round: 3 } }, { kind: 'skip', member: 'b', round: 3 }],
    ] as const;
    for (const [fields, action] of orders) {
      const answer = await founder.call('ControlFederation', { federation: FEDERATION, ...fields, order });
      assert.deepEqual(reportOf(answer), report);
      const args = [action, { ...order, signature: '07'.repeat(64) }];
      assert.deepEqual(lastAsked(), { as: 'founder', federation: FEDERATION, what: 'control', args });
    }
    const bare: FederationReport = { ...report, state: 'created', round: null, versions: [], recent: [], privacy: null, chainHead: '' };
    script.report = bare;
    const answer = await founder.call('GetStatus', { federation: FEDERATION });
    assert.deepEqual(answer.federations.map(reportOf), [bare]);
    assert.equal(lastAsked()!.federation, FEDERATION);
    assert.deepEqual([...(await founder.call('GetCoordinator', {})).publicKey], [...bytes(32, 5)]);
    const parameters = encodeTensor(f32([2], [1, 2]), 'f32');
    const manifest = { bytes: bytes(4, 1), signature: bytes(64, 2) };
    assert.equal((await founder.call('CreateFederation', { manifest, parameters })).federation, FEDERATION);
    assert.deepEqual(lastAsked()!.args, [manifest, Float32Array.of(1, 2)]);
  });

  it('counts calls by method, member and outcome, and bytes both ways', async () => {
    const calls = running.observed.filter(({ method, tenant }) => method === 'Submit' && tenant === 'acme');
    assert.ok(calls.length > 0 && calls.every(({ code, bytesIn }) => code === 'OK' && bytesIn > 8));
    assert.ok(running.observed.some(({ method, code }) => method === 'Enlist' && code === 'NOT_A_MEMBER'));
  });

  it('answers a waiting member at once, as one that may try again, when it shuts down', async () => {
    const waiting = later<void>();
    script.nextTask = (signal) => {
      waiting.resolve();
      return new Promise<TaskAnswer>((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
    };
    const acme = await channel('acme', 'federate');
    const call = acme.call('NextTask', { federation: FEDERATION, waitMs: 50_000 });
    await waiting.promise;
    const drained = running.server.drain(30_000);
    await refused(call, 'DRAINING', /coordinator: shutting down/);
    await drained;
  });
});

/** A promise and what settles it. */
function later<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** As JSON has it: byte arrays of either class become one. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, field: unknown) => {
      if (field instanceof Uint8Array) return Buffer.from(field).toString('hex');
      if (typeof field === 'object' && field !== null && 'type' in field && field.type === 'Buffer') {
        return Buffer.from((field as unknown as { data: number[] }).data).toString('hex');
      }
      return field;
    }),
  );
}
