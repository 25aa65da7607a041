/**
 * The limits of a running server: times, bytes, places and connections, each reached from outside.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import { framed } from '../../support/raw-grpc.js';
import { as, ECHO, principal, type Rig, type RigOptions, startRig } from '../../support/rpc-rig.js';

const CHECK = '/grpc.health.v1.Health/Check';
const WATCH = '/grpc.health.v1.Health/Watch';
const never = (): Promise<never> => new Promise(() => undefined);

describe('limits of a server', () => {
  let rig: Rig;
  const start = async (options: RigOptions): Promise<Rig> => {
    rig = await startRig(options);
    return rig;
  };
  afterEach(() => rig.close());
  const connections = (changes: Partial<typeof defaultBounds.connections>) => ({
    bounds: { connections: { ...defaultBounds.connections, ...changes } },
  });

  it('ends a call whose body comes too slowly, and not one that keeps the pace', async () => {
    await start({ bounds: { transfer: { graceMs: 200, bytesPerSecond: 10_000 } } });
    const body = framed(Buffer.alloc(8000));
    const slow = rig.connect().call(ECHO, as('acme'));
    slow.stream.write(body.subarray(0, 500));
    const steady = rig.connect().call(ECHO, as('other'));
    for (let at = 0; at < body.length; at += 2000, await delay(50)) steady.stream.write(body.subarray(at, at + 2000));
    steady.stream.end();
    const end = await slow.ended;
    assert.equal(end.code, 'DEADLINE_EXCEEDED');
    assert.match(end.message, /^request: slower than 10000 bytes a second/);
    assert.equal((await steady.ended).status, 0);
  });

  it('ends a call whose answer is read too slowly', async () => {
    await start({ bounds: { transfer: { graceMs: 200, bytesPerSecond: 1e6 } }, answer: async () => Buffer.alloc(2 ** 20) });
    const unread = rig.connect({ window: 0 }).send(ECHO, Buffer.alloc(0), as('acme'));
    const end = await unread.ended;
    assert.equal(end.status, undefined);
    assert.equal(rig.server.inFlight, 0);
    assert.equal(rig.server.gauges().messageBytes, 0);
    assert.deepEqual(
      rig.observed.map(({ code }) => code),
      ['DEADLINE_EXCEEDED'],
    );
  });

  it('survives callers that go at any moment, and notes that they have gone', async () => {
    await start({ limits: { maxMessageBytes: 2 ** 24 }, answer: async () => Buffer.alloc(2 ** 22) });
    await assertHonest();
    for (let n = 0; n < 40; n++) {
      const { session, call } = rig.connect();
      const { stream, ended } = call(ECHO, as('acme'));
      stream.end(framed(Buffer.alloc(2 ** 18)));
      await delay(n / 4);
      if (n % 3 === 0) session.destroy();
      else stream.close(n % 3 === 1 ? 8 : 1);
      await ended;
    }
    while (rig.server.inFlight > 0) await delay(1);
    await assertHonest();
    const codes = new Set(rig.observed.map(({ code }) => code));
    assert.ok(codes.size > 1 && [...codes].every((code) => ['OK', 'CANCELLED', 'TRANSPORT'].includes(code)), [...codes].join());
    assert.equal(rig.server.gauges().messageBytes, 0);

    async function assertHonest(): Promise<void> {
      assert.equal((await rig.connect().send(ECHO, Buffer.alloc(0), as('other')).ended).status, 0);
    }
  });

  it("ends a call a minute after its token's end", async () => {
    await start({ answer: never, verify: async (token) => principal(token, -59_800) });
    const end = await rig.connect().send(ECHO, Buffer.alloc(0), as('acme')).ended;
    assert.equal(end.code, 'TOKEN_EXPIRED');
  });

  it('ends a call at the longest deadline, while it receives, works or waits for its answer to be read', async () => {
    await start({
      limits: { maxDeadlineMs: 300 },
      bounds: { transfer: { graceMs: 3_600_000, bytesPerSecond: 1 } },
      answer: (request) => (request.length === 1 ? never() : Promise.resolve(request)),
    });
    const receiving = rig.connect().call(ECHO, as('a'));
    const working = rig.connect().send(ECHO, Buffer.alloc(1), as('b'));
    const unread = rig.connect({ window: 0 }).send(ECHO, Buffer.alloc(100), as('c'));
    const received = await receiving.ended;
    assert.equal(received.code, 'DEADLINE_EXCEEDED');
    assert.match(received.message, /^deadline: passed/, 'not by its pace');
    assert.equal((await unread.ended).status, undefined);
    assert.equal((await working.ended).code, 'DEADLINE_EXCEEDED');
    assert.equal(rig.server.inFlight, 0);
  });

  it('refuses a message when those of its tenant hold their share, and takes one of another', async () => {
    const message = Buffer.alloc(2 ** 20 - 1);
    await start({ limits: { messageMemoryBytes: 2 * (2 ** 20 + 65_536) } });
    const first = rig.connect().call(ECHO, as('acme'));
    first.stream.write(framed(message).subarray(0, 1000));
    while (rig.server.gauges().messageBytes < message.length) await delay(1);
    const second = await rig.connect().send(ECHO, message, as('acme')).ended;
    assert.equal(second.code, 'QUEUE_FULL');
    assert.match(second.message, /messages of acme at the gateway hold 1048575 of/);
    const other = await rig.connect().send(ECHO, Buffer.alloc(1000), as('other')).ended;
    assert.equal(other.status, 0, other.message);
    first.stream.end(framed(message).subarray(1000));
    assert.equal((await first.ended).status, 0);
    assert.equal(rig.server.gauges().messageBytes, 0);
  });

  it('gives a tenant a place when others have filled every one with silent calls', async () => {
    await start({ limits: { maxInFlight: 8, maxInFlightPerTenant: 4 } });
    const attacks = ['storm', 'silence'].map((tenant) => Array.from({ length: 4 }, () => rig.connect().call(ECHO, as(tenant))));
    while (rig.server.inFlight < 8) await delay(1);
    const honest = rig.connect();
    for (let at = 0; at < 4; at++) assert.equal((await honest.send(ECHO, Buffer.alloc(9), as('acme')).ended).status, 0);
    const storm = await Promise.race(attacks.flat().map(({ ended }) => ended));
    assert.equal(storm.code, 'QUEUE_FULL');
    assert.match(storm.message, /^gateway: the calls of (storm|silence) in flight are the most of all tenants/);
    assert.equal(rig.server.inFlight, 7, 'one place was enough');
    const fourth = await rig.connect().send(ECHO, Buffer.alloc(9), as('storm')).ended;
    assert.equal(fourth.status, 0, 'a free place is anyone\u2019s');
  });

  it('gives a tenant room when others have filled it with messages that do not arrive', async () => {
    await start({ limits: { maxMessageBytes: 2 ** 20, messageMemoryBytes: 3 * 2 ** 20 } });
    const part = framed(Buffer.alloc(2 ** 20)).subarray(0, 2 ** 19);
    const calls = ['storm', 'silence', 'flood'].map((tenant) => {
      const call = rig.connect().call(ECHO, as(tenant));
      call.stream.write(part);
      return call;
    });
    while (rig.server.gauges().messageBytes < 2.5 * 2 ** 20) await delay(1);
    const honest = await rig.connect().send(ECHO, Buffer.alloc(2 ** 19), as('acme')).ended;
    assert.equal(honest.status, 0, honest.message);
    const { code, message } = await Promise.race(calls.map(({ ended }) => ended));
    assert.equal(code, 'QUEUE_FULL');
    assert.match(message, /^messages of \w+ at the gateway are the most of all tenants/);
  });

  it('refuses to start with less memory than two of the largest messages take', async () => {
    await start({});
    await assert.rejects(startRig({ limits: { messageMemoryBytes: 2 ** 20 } }), {
      code: 'INVALID_OPTION',
      message: /^--message-memory: expected at least 2228224 bytes/,
    });
  });

  it('holds no more than its share of a call whose token is being verified', async () => {
    let verified = (): void => undefined;
    await start({
      limits: { maxMessageBytes: 2 ** 24, messageMemoryBytes: 2 ** 26 },
      verify: (token) =>
        new Promise((resolve) => {
          verified = () => resolve(principal(token));
        }),
    });
    // An eighth of 64 MiB is what all unverified callers may hold.
    const big = rig.connect().send(ECHO, Buffer.alloc(2 ** 24 - 5), as('acme'));
    while (rig.server.gauges().messageBytes < 2 ** 23) await delay(1);
    await delay(1000);
    assert.equal(rig.server.gauges().messageBytes, 2 ** 23);
    verified();
    assert.equal((await big.ended).code, 'QUEUE_FULL');
    assert.equal(rig.server.gauges().messageBytes, 0);
  });

  it('verifies a limited number of tokens at once', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    await start({
      bounds: { maxVerifying: 2 },
      verify: async (token) => {
        await released;
        return principal(token);
      },
    });
    const connection = rig.connect();
    const calls = Array.from({ length: 3 }, () => connection.send(ECHO, Buffer.alloc(0), as('acme')));
    assert.equal((await Promise.race(calls.map(({ ended }) => ended))).code, 'QUEUE_FULL');
    release();
    const statuses = (await Promise.all(calls.map(({ ended }) => ended))).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [0, 0, 8]);
  });

  it('has places for a limited number of calls in all, whatever their tenants', async () => {
    await start({ limits: { maxInFlight: 2 }, answer: (_, { draining }) => once(draining, 'abort').then(() => Buffer.alloc(0)) });
    const calls = ['a', 'b', 'c'].map((tenant) => rig.connect().send(ECHO, Buffer.alloc(0), as(tenant)));
    const refused = await Promise.race(calls.map(({ ended }) => ended));
    assert.equal(refused.code, 'QUEUE_FULL');
    assert.match(refused.message, /^gateway: 2 calls are in flight, which is the limit/);
    assert.equal(rig.server.inFlight, 2);
    await rig.server.drain(5000);
    const statuses = (await Promise.all(calls.map(({ ended }) => ended))).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [0, 0, 8]);
  });

  it('takes a limited number of connections of one address, and others when they have gone', async () => {
    await start(connections({ maxConnectionsPerAddress: 2 }));
    const [first, second] = [rig.connect(), rig.connect()];
    assert.equal((await first.send(CHECK, Buffer.alloc(0)).ended).status, 0);
    assert.equal((await second.send(CHECK, Buffer.alloc(0)).ended).status, 0);
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, undefined);
    first.close();
    while (rig.server.gauges().connections > 1) await delay(5);
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, 0);
  });

  it('takes a limited number of connections in all', async () => {
    await start(connections({ maxConnections: 1 }));
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, 0);
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, undefined);
  });

  it('hangs up on a peer that never speaks HTTP/2', async () => {
    await start(connections({ handshakeMs: 100 }));
    const socket = net.connect(Number(rig.address.split(':')[1]), '127.0.0.1');
    socket.resume();
    await once(socket, 'close');
    assert.equal(rig.server.gauges().connections, 0);
  });

  it('hangs up on a peer that does not answer pings', async () => {
    await start(connections({ keepaliveMs: 100, keepaliveTimeoutMs: 100 }));
    const silent = rig.connect();
    assert.equal((await silent.send(CHECK, Buffer.alloc(0)).ended).status, 0);
    silent.stopReading();
    while (rig.server.gauges().connections > 0) await delay(20);
  });

  it('ends a connection that resets its streams again and again', async () => {
    await start(connections({ resetBurst: 20, resetRate: 1 }));
    const { session, call } = rig.connect();
    // By a GOAWAY with an error too, where Node has bounds of its own.
    const closed = new Promise((resolve) => session.once('close', resolve));
    const timer = setInterval(() => {
      if (session.destroyed) return;
      for (let n = 0; n < 10; n++) call(ECHO, as('acme')).stream.close(8);
    }, 5);
    await closed;
    clearInterval(timer);
  });

  it('ends an idle connection, and a client connects again', async () => {
    await start(connections({ idleMs: 100 }));
    const idle = rig.connect();
    assert.equal((await idle.send(CHECK, Buffer.alloc(0)).ended).status, 0);
    await once(idle.session, 'goaway');
    while (rig.server.gauges().connections > 0) await delay(20);
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, 0);
  });

  it('refuses a header list that is too long', async () => {
    await start({});
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`x-${n}`, 'y']));
    for (const headers of [many, { 'x-long': 'y'.repeat(40_000) }]) {
      const end = await rig.connect().send(CHECK, Buffer.alloc(0), headers).ended;
      assert.notEqual(end.status, 0);
    }
    assert.equal((await rig.connect().send(CHECK, Buffer.alloc(0)).ended).status, 0);
  });

  it('has a place for a limited number of watchers in all', async () => {
    await start({ bounds: { open: { ...defaultBounds.open, maxWatchers: 2 } } });
    const watchers = Array.from({ length: 3 }, () => rig.connect().send(WATCH, Buffer.alloc(0)));
    assert.equal((await Promise.race(watchers.map(({ ended }) => ended))).code, 'QUEUE_FULL');
    await rig.server.drain(0);
    const codes = (await Promise.all(watchers.map(({ ended }) => ended))).map(({ code }) => code);
    assert.equal(codes.filter((code) => code === 'QUEUE_FULL').length, 1);
  });

  it('tells its bounds to a client when it connects', async () => {
    await start({});
    const { session } = rig.connect();
    await once(session, 'remoteSettings');
    const { maxConcurrentStreams, maxHeaderListSize, enablePush } = session.remoteSettings;
    const { maxStreams, maxHeaderBytes } = defaultBounds.connections;
    assert.deepEqual([maxConcurrentStreams, maxHeaderListSize, enablePush], [maxStreams, maxHeaderBytes, false]);
  });

  it('tells watchers of its health, a limited number of them, when it stops', async () => {
    await start({});
    const connection = rig.connect();
    const watchers = Array.from({ length: 5 }, () => connection.send(WATCH, Buffer.alloc(0)));
    const [first] = watchers;
    const chunks: Buffer[] = [];
    first!.stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const refused = await Promise.race(watchers.map(({ ended }) => ended));
    assert.equal(refused.code, 'QUEUE_FULL');
    while (chunks.length === 0) await delay(1);
    assert.deepEqual(Buffer.concat(chunks), framed(Buffer.of(8, 1)));
    const drained = rig.server.drain(0);
    while (Buffer.concat(chunks).length < 14) await delay(1);
    assert.deepEqual(Buffer.concat(chunks), Buffer.concat([framed(Buffer.of(8, 1)), framed(Buffer.of(8, 2))]));
    await drained;
  });

  it('warns of no leak when very many calls wait for one shutdown', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    await start({
      answer: (request, { draining }) =>
        new Promise((resolve) => {
          draining.addEventListener('abort', () => resolve(request), { once: true });
        }),
    });
    const connection = rig.connect();
    const calls = Array.from({ length: 40 }, () => connection.send(ECHO, Buffer.alloc(3), as('acme')));
    const watching = Array.from({ length: 4 }, () => connection.send(WATCH, Buffer.alloc(0)));
    while (rig.server.inFlight < 40) await delay(1);
    await rig.server.drain(5000);
    for (const { ended } of calls) assert.equal((await ended).status, 0);
    await Promise.all(watching.map(({ ended }) => ended));
    await delay(10);
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });
});
