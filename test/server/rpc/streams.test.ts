/** Streams that go both ways, as frames: admission, order, bounds of bytes, time and places, and the end of each. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultBounds, type StreamLimits } from '../../../src/server/rpc/limits.js';
import { framed, type RawCall } from '../../support/raw-grpc.js';
import { as, ECHO, ECHOES, principal, type Rig, type RigOptions, startRig } from '../../support/rpc-rig.js';

const never = (): Promise<never> => new Promise(() => undefined);
const text = (value: string): Buffer => framed(Buffer.from(value));

describe('streams of a server', () => {
  let rig: Rig;
  const start = async (options: RigOptions = {}): Promise<Rig> => {
    rig = await startRig(options);
    return rig;
  };
  afterEach(() => rig.close());
  const limited = (changes: Partial<StreamLimits>) => ({ bounds: { streams: { ...defaultBounds.streams, ...changes } } });

  /** All bytes that a call answers, as they come. */
  function answersOf({ stream }: RawCall): { readonly bytes: () => Buffer; until(length: number): Promise<Buffer> } {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const bytes = (): Buffer => Buffer.concat(chunks);
    return {
      bytes,
      async until(length) {
        while (bytes().length < length) await once(stream, 'data');
        return bytes();
      },
    };
  }

  it('answers each message in its order, while the client still sends, and ends with OK', async () => {
    const order: string[] = [];
    await start({
      answer: async (request) => {
        await delay(request.length === 5 ? 20 : 0);
        order.push(request.toString());
        return request;
      },
    });
    const call = rig.connect().call(ECHOES, as('acme'));
    const answers = answersOf(call);
    call.stream.write(text('first'));
    assert.deepEqual(await answers.until(10), text('first'), 'before the client has ended its side');
    // Messages in one frame, and one in frames of a byte.
    call.stream.write(Buffer.concat([text('again'), text(''), text('x')]));
    for (const byte of text('bytes')) call.stream.write(Buffer.of(byte));
    call.stream.end();
    assert.equal((await call.ended).status, 0);
    assert.deepEqual(answers.bytes(), Buffer.concat([text('first'), text('again'), text(''), text('x'), text('bytes')]));
    assert.deepEqual(order, ['first', 'again', '', 'x', 'bytes']);
    assert.deepEqual(rig.server.gauges(), { inFlightCalls: 0, openStreams: 0, connections: 1, waitingConnections: 0, messageBytes: 0 });
    assert.deepEqual(
      rig.observed.map(({ method, tenant, code, bytesOut }) => ({ method, tenant, code, bytesOut })),
      [{ method: 'Echoes', tenant: 'acme', code: 'OK', bytesOut: 16 }],
    );
  });

  it('ends a stream without messages with OK', async () => {
    await start();
    const call = rig.connect().call(ECHOES, as('acme'));
    call.stream.end();
    assert.equal((await call.ended).status, 0);
  });

  it('refuses a stream on its headers: without a token, with a wrong one, without a deadline', async () => {
    await start();
    const codes = [{ 'grpc-timeout': '1S' }, as('wrong'), { authorization: 'Bearer acme' }].map(async (headers) => {
      const call = rig.connect().call(ECHOES, headers);
      call.stream.write(framed(Buffer.alloc(1000)));
      return (await call.ended).code;
    });
    assert.deepEqual(await Promise.all(codes), ['TOKEN_MISSING', 'TOKEN_INVALID', 'DEADLINE_REQUIRED']);
    assert.equal(rig.server.gauges().messageBytes, 0);
  });

  it('says why a stream fails after answers: the message is too large, compressed, cut off, or refused', async () => {
    await start({
      limits: { maxMessageBytes: 1000 },
      answer: async (request, { signal }) => {
        if (request.length === 3) throw new TypeError('a secret of the server');
        signal.throwIfAborted();
        return request;
      },
    });
    const failing = async (bytes: Buffer, end = false) => {
      const call = rig.connect().call(ECHOES, as('acme'));
      const answers = answersOf(call);
      call.stream.write(text('first'));
      await answers.until(10);
      call.stream.write(bytes);
      if (end) call.stream.end();
      return call.ended;
    };
    const large = Buffer.alloc(5);
    large.writeUInt32BE(1e6, 1);
    assert.deepEqual((await failing(large)).code, 'MESSAGE_TOO_LARGE');
    assert.deepEqual((await failing(framed(Buffer.alloc(10), 1))).code, 'UNIMPLEMENTED');
    assert.deepEqual((await failing(text('half').subarray(0, 7), true)).code, 'INVALID_ARGUMENT');
    const refused = await failing(text('bad'));
    assert.equal(refused.code, 'INTERNAL');
    assert.doesNotMatch(refused.message, /secret/);
    assert.equal(refused.reset, 0);
    assert.equal(rig.server.gauges().messageBytes, 0);
    assert.equal(rig.server.gauges().openStreams, 0);
  });

  it('ends a silent stream, one whose message stays half received, and not one that waits for an answer', async () => {
    await start({
      bounds: { streams: { ...defaultBounds.streams, idleMs: 150 }, transfer: { graceMs: 300, bytesPerSecond: 1e6 } },
      answer: async (request) => {
        await delay(400);
        return request;
      },
    });
    const silent = rig.connect().call(ECHOES, as('a'));
    const half = rig.connect().call(ECHOES, as('b'));
    half.stream.write(text('half').subarray(0, 7));
    const waits = rig.connect().call(ECHOES, as('c'));
    waits.stream.end(text('whole'));
    const [one, two, three] = await Promise.all([silent.ended, half.ended, waits.ended]);
    assert.match(`${one.code} ${one.message}`, /^DEADLINE_EXCEEDED stream: no message for 150 ms/);
    assert.match(`${two.code} ${two.message}`, /^DEADLINE_EXCEEDED request: slower than/);
    assert.equal(three.status, 0);
  });

  it('ends a stream whose answer is not read, and gives its place and its bytes back', async () => {
    await start({ bounds: { transfer: { graceMs: 200, bytesPerSecond: 1e6 } }, answer: async () => Buffer.alloc(2 ** 20) });
    const call = rig.connect({ window: 0 }).call(ECHOES, as('acme'));
    call.stream.write(text('x'));
    const end = await call.ended;
    assert.equal(end.status, undefined);
    assert.deepEqual([rig.server.gauges().openStreams, rig.server.gauges().messageBytes], [0, 0]);
    assert.deepEqual(
      rig.observed.map(({ code }) => code),
      ['DEADLINE_EXCEEDED'],
    );
  });

  it("ends a stream at its deadline, at the server's longest, and a minute after its token's end", async () => {
    await start({ limits: { maxDeadlineMs: 300 }, verify: async (token) => principal(token, token === 'old' ? -59_900 : 1e6) });
    const own = rig.connect().call(ECHOES, { ...as('a'), 'grpc-timeout': '100m' });
    const longest = rig.connect().call(ECHOES, as('b'));
    const old = rig.connect().call(ECHOES, as('old'));
    const ends = await Promise.all([own.ended, longest.ended, old.ended]);
    assert.deepEqual(
      ends.map(({ code }) => code),
      ['DEADLINE_EXCEEDED', 'DEADLINE_EXCEEDED', 'TOKEN_EXPIRED'],
    );
  });

  it('counts messages in the budgets until each is answered, and lets few wait', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await start({
      ...limited({ maxWaiting: 3 }),
      answer: async (request) => {
        await held;
        return request;
      },
    });
    const call = rig.connect().call(ECHOES, as('acme'));
    for (let n = 0; n < 4; n++) call.stream.write(framed(Buffer.alloc(50_000)));
    while (rig.server.gauges().messageBytes < 4 * 50_000) await delay(1);
    call.stream.write(text('one too many'));
    const end = await call.ended;
    assert.equal(end.code, 'LIMIT_EXCEEDED');
    assert.match(end.message, /at most 3 messages that wait/);
    assert.equal(rig.server.gauges().messageBytes, 0);
    release();
  });

  it('refuses messages beyond the share of a tenant, also over many streams', async () => {
    await start({ limits: { messageMemoryBytes: 2 * (2 ** 20 + 65_536) }, answer: never });
    const [one, two] = [rig.connect().call(ECHOES, as('acme')), rig.connect().call(ECHOES, as('acme'))];
    one.stream.write(framed(Buffer.alloc(2 ** 20)));
    while (rig.server.gauges().messageBytes < 2 ** 20) await delay(1);
    two.stream.write(framed(Buffer.alloc(2 ** 20)));
    assert.equal((await two.ended).code, 'QUEUE_FULL');
    const other = rig.connect().call(ECHOES, as('other'));
    other.stream.write(framed(Buffer.alloc(2 ** 19)));
    while (rig.server.gauges().messageBytes < 2 ** 20 + 2 ** 19) await delay(1);
  });

  it('has places of its own, which take none of calls, and gives one to a tenant with fewer', async () => {
    await start({ limits: { maxInFlight: 1 }, ...limited({ maxOpen: 4, maxOpenPerTenant: 3 }) });
    const open = async (tenant: string): Promise<RawCall> => {
      const call = rig.connect().call(ECHOES, as(tenant));
      call.stream.write(text('x'));
      await Promise.race([once(call.stream, 'data'), call.ended]);
      return call;
    };
    const flood = [await open('flood'), await open('flood'), await open('flood')];
    assert.equal((await (await open('flood')).ended).code, 'QUEUE_FULL');
    assert.equal(rig.server.gauges().openStreams, 3);
    await open('other');
    const small = await open('small');
    assert.equal((await flood[2]!.ended).code, 'QUEUE_FULL', 'the newest of the tenant with most');
    assert.equal((await rig.connect().send(ECHO, Buffer.from('call'), as('small')).ended).status, 0);
    small.stream.end();
    assert.equal((await small.ended).status, 0);
    assert.equal(rig.server.gauges().openStreams, 3);
  });

  it('answers what waits at shutdown, and then ends each stream as retryable', async () => {
    let ended = 0;
    await start({
      answer: async (request) => {
        await delay(100);
        return request;
      },
      ended: () => void ended++,
    });
    const [idle, busy] = [rig.connect().call(ECHOES, as('a')), rig.connect().call(ECHOES, as('b'))];
    idle.stream.write(text('x'));
    await once(idle.stream, 'data');
    busy.stream.write(Buffer.concat([text('first'), text('second')]));
    while (rig.server.gauges().messageBytes === 0) await delay(1);
    await rig.server.drain(5000);
    const [one, two] = await Promise.all([idle.ended, busy.ended]);
    assert.deepEqual([one.code, two.code], ['DRAINING', 'DRAINING']);
    assert.equal(two.bytes, 10 + 11, 'both answers');
    assert.equal(ended, 2);
  });

  it('survives clients that go at any moment, and tells its method of each end once', async () => {
    const ends = new Set<unknown>();
    let count = 0;
    await start({
      limits: { maxMessageBytes: 2 ** 22 },
      answer: async () => Buffer.alloc(2 ** 20),
      ended: (call) => {
        ends.add(call);
        count++;
      },
    });
    for (let n = 0; n < 30; n++) {
      const { session, call } = rig.connect();
      const { stream, ended } = call(ECHOES, as('acme'));
      stream.write(Buffer.concat([framed(Buffer.alloc(2 ** 16)), framed(Buffer.alloc(2 ** 18))]));
      await delay(n / 3);
      if (n % 3 === 0) session.destroy();
      else stream.close(n % 3 === 1 ? 8 : 1);
      await ended;
    }
    while (rig.server.gauges().openStreams > 0) await delay(1);
    assert.equal(rig.server.gauges().messageBytes, 0);
    assert.equal(count, ends.size);
    const after = rig.connect().call(ECHOES, as('other'));
    after.stream.end(text('x'));
    assert.equal((await after.ended).status, 0);
  });
});
