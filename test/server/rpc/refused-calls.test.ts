/** Floods of calls that are refused on their headers, and honest clients whose calls are refused. */
import assert from 'node:assert/strict';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import {
  callFrame,
  connectFrames,
  ENHANCE_YOUR_CALM,
  FRAME,
  type FrameConnection,
  requestFrame,
  resetFrame,
} from '../../support/raw-frames.js';
import { as, ECHO, principal, type Rig, type RigOptions, startRig } from '../../support/rpc-rig.js';

const { connections } = defaultBounds;
/** Streams that one write opens: fewer than nghttp2 lets a connection reset at once, which is 1,000. */
const ONE_WRITE = 900;
/** Below the streams that a connection may have open and refused. */
const BATCH = 100;
const NO_ERROR = 0;
const streams = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => 2 * (from + at) + 1);

describe('calls that are refused before they have a place', () => {
  let rig: Rig;
  const opened: FrameConnection[] = [];
  const start = async (options: RigOptions = {}): Promise<void> => {
    rig = await startRig(options);
  };
  const connect = async (): Promise<FrameConnection> => {
    const connection = await connectFrames(rig.address);
    opened.push(connection);
    assert.ok(await connection.answers());
    return connection;
  };
  afterEach(async () => {
    const { status, message } = await rig.connect().send(ECHO, Buffer.alloc(3), as('honest')).ended;
    assert.equal(status, 0, message);
    for (const connection of opened.splice(0)) connection.close();
    await rig.close();
  });

  for (const [what, call] of [
    ['a wrong token', (stream: number) => callFrame(stream, ECHO, 'wrong')],
    ['no token', (stream: number) => callFrame(stream, ECHO)],
    ['a path that is no method', (stream: number) => callFrame(stream, '/none', 'acme')],
    ['a type that is not of gRPC', (stream: number) => requestFrame(stream, [...httpHeaders, ['content-type', 'text/plain']])],
  ] as const) {
    const calls = (from: number, count: number): Buffer[] => streams(from, count).map(call);

    it(`are opened and reset in one write, with ${what}: the socket closes`, async () => {
      await start({ bounds: { connections: { ...connections, refusedRate: 0 } } }); // a busy machine is slow
      const attacker = await connect();
      attacker.send(...streams(0, ONE_WRITE).flatMap((stream) => [call(stream), resetFrame(stream)]));
      await attacker.ended;
      assert.equal(rig.server.gauges().connections, 0);
    });

    it(`are made again and again, with ${what}: the socket closes at the bound`, async () => {
      await start({ bounds: { connections: { ...connections, refusedBurst: 2 * BATCH, refusedRate: 0 } } });
      const attacker = await connect();
      for (const from of [0, BATCH]) {
        attacker.send(...calls(from, BATCH));
        assert.ok(await attacker.answers());
      }
      attacker.send(...calls(2 * BATCH, 1));
      await attacker.ended;
      const goaway = attacker.frames.find(({ type }) => type === FRAME.goaway);
      assert.equal(goaway?.payload.readUInt32BE(4), ENHANCE_YOUR_CALM);
    });
  }

  it('or not, and are reset with a code that says no error: the socket closes at the bound of resets', async () => {
    await start({ bounds: { connections: { ...connections, resetBurst: BATCH, resetRate: 0 } } });
    const attacker = await connect();
    const resetCall = (stream: number): Buffer[] => [callFrame(stream, ECHO, 'acme'), resetFrame(stream, NO_ERROR)];
    attacker.send(...streams(0, BATCH).flatMap(resetCall));
    assert.ok(await attacker.answers());
    attacker.send(...streams(BATCH, 1).flatMap(resetCall));
    await attacker.ended;
  });

  it('or reset in the write that opens them: few of their tokens are verified', async () => {
    let verified = 0;
    const verify = async (token: string) => {
      verified++;
      return principal(token);
    };
    await start({ bounds: { connections: { ...connections, resetRate: 0 } }, verify });
    const attacker = await connect();
    attacker.send(...streams(0, BATCH).flatMap((stream) => [callFrame(stream, ECHO, 'acme'), resetFrame(stream)]));
    assert.ok(await attacker.answers());
    assert.ok(verified < BATCH / 2, `${verified} of ${BATCH}`);
  });

  it('and reset when their streams have closed: HTTP/2 ends, and the socket closes at the next keepalive', async () => {
    await start({ bounds: { connections: { ...connections, keepaliveMs: 200, keepaliveTimeoutMs: 200 } } });
    const attacker = await connect();
    attacker.send(callFrame(1, ECHO));
    assert.ok(await attacker.answers());
    attacker.send(...Array<Buffer>(2000).fill(resetFrame(1)));
    await attacker.ended;
  });

  it('leave the connection of an honest client, which repeats them, as it is', async () => {
    await start({ limits: { maxInFlightOf: (tenant) => (tenant === 'busy' ? 0 : undefined) } });
    const client = rig.connect();
    // As many rounds as a backoff lets 64 callers make in the first second, and more.
    for (let round = 0; round < 5; round++) {
      const tenants = Array.from({ length: 64 }, (_, at) => (at % 2 === 0 ? 'wrong' : 'busy'));
      const ends = await Promise.all(tenants.map((tenant) => client.send(ECHO, Buffer.alloc(1000), as(tenant)).ended));
      assert.deepEqual(
        ends.map(({ code }) => code),
        tenants.map((tenant) => (tenant === 'wrong' ? 'TOKEN_INVALID' : 'QUEUE_FULL')),
      );
    }
    assert.equal(rig.server.gauges().connections, 1);
    assert.ok(!client.session.closed);
  });
});

const httpHeaders = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', 'localhost'],
  [':path', ECHO],
] as const;
