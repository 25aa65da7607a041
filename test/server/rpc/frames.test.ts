/**
 * Frames that no client library sends: a connection of them ends, within bounds, and an honest
 * client beside it goes on.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createHttp2Server } from '../../../src/server/rpc/http2-server.js';
import { defaultBounds } from '../../../src/server/rpc/limits.js';
import { openDevelopmentTls, type TlsFiles } from '../../../src/server/tls/development-ca.js';
import type { ServerCredentials } from '../../../src/server/tls/open-tls.js';
import {
  callFrame,
  connectFrames,
  ENHANCE_YOUR_CALM,
  FRAME,
  type FrameConnection,
  frame,
  pingFrame,
  responseFrame,
  settingsFrame,
} from '../../support/raw-frames.js';
import { as, ECHO, type Rig, type RigOptions, startRig } from '../../support/rpc-rig.js';

const { maxInvalidFrames, maxStreams } = defaultBounds.connections;
/** nghttp2's own bound of acknowledgements that wait; Node has no option for it. */
const MOST_WAITING_ANSWERS = 1000;

describe('frames of a connection', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-frames-'));
  let files: TlsFiles;
  let ca: Buffer;
  let rig: Rig;
  const opened: FrameConnection[] = [];

  before(async () => {
    files = await openDevelopmentTls(dir, ['127.0.0.1'], Date.now());
    ca = readFileSync(files.caFile);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  afterEach(async () => {
    await requireHonest();
    for (const connection of opened.splice(0)) connection.close();
    await rig.close();
  });

  const start = async (options: RigOptions = {}): Promise<void> => {
    rig = await startRig({ ...options, credentials: { cert: Buffer.from(files.cert), key: Buffer.from(files.key) } });
    await requireHonest();
  };
  const connect = async (): Promise<FrameConnection> => {
    const connection = await connectFrames(rig.address, ca);
    opened.push(connection);
    return connection;
  };
  /** Another connection is served. */
  async function requireHonest(): Promise<void> {
    const { status, message } = await rig.connect({ caFile: files.caFile }).send(ECHO, Buffer.alloc(3), as('honest')).ended;
    assert.equal(status, 0, message);
  }
  /** A ping is not answered, and the connection ends. */
  async function requireEnd(connection: FrameConnection): Promise<void> {
    assert.ok(!(await connection.answers()));
    await connection.ended;
  }
  const request = (stream: number): Buffer => callFrame(stream, ECHO, 'acme');
  const streams = (count: number): number[] => Array.from({ length: count }, (_, at) => 2 * at + 1);
  const resets = ({ frames }: FrameConnection, code: number): number =>
    frames.filter(({ type, payload }) => type === FRAME.reset && payload.readUInt32BE() === code).length;

  it(`that are invalid end it when there are more than ${maxInvalidFrames}`, async () => {
    await start();
    const few = await connect();
    few.send(...streams(maxInvalidFrames).map(responseFrame));
    assert.ok(await few.answers());
    const many = await connect();
    many.send(...streams(maxInvalidFrames + 2).map(responseFrame));
    await requireEnd(many);
  });

  it('that are settings of more than 32 entries are told off; what follows is not read, and the next keepalive ends it', async () => {
    await start({ bounds: { connections: { ...defaultBounds.connections, keepaliveMs: 200, keepaliveTimeoutMs: 200 } } });
    const few = await connect();
    few.send(settingsFrame(32));
    assert.ok(await few.answers());
    const many = await connect();
    many.send(settingsFrame(33));
    await requireEnd(many);
    const [goaway] = many.frames.filter(({ type }) => type === FRAME.goaway);
    assert.equal(goaway?.payload.readUInt32BE(4), ENHANCE_YOUR_CALM);
    assert.ok(await few.answers());
  });

  for (const [what, one] of [
    ['pings', pingFrame()],
    ['settings', settingsFrame(0)],
  ] as const) {
    it(`that are ${what} are answered, and end it when more than ${MOST_WAITING_ANSWERS} answers wait`, async () => {
      await start();
      const few = await connect();
      few.send(...Array<Buffer>(MOST_WAITING_ANSWERS / 2).fill(one));
      assert.ok(await few.answers());
      const many = await connect();
      many.send(...Array<Buffer>(20 * MOST_WAITING_ANSWERS).fill(one));
      await requireEnd(many);
    });
  }

  it(`that open more than ${maxStreams} streams at once are refused, and the open streams stay`, async () => {
    await start({ limits: { maxInFlight: 1000 } });
    const connection = await connect();
    assert.ok(await connection.answers());
    connection.send(...streams(maxStreams + 10).map(request));
    await requireEnd(connection);
    assert.equal(rig.server.inFlight, 0);
    const within = await connect();
    assert.ok(await within.answers());
    within.send(...streams(maxStreams).map(request));
    assert.ok(await within.answers());
    assert.equal(rig.server.inFlight, maxStreams);
  });

  it('that ask for answers and leave them unread are refused beyond the memory of a connection, which ends after some refusals', async () => {
    const bounds = { connections: { ...defaultBounds.connections, maxSessionMemoryMb: 1, maxRejectedStreams: 5 } };
    await start({ bounds, answer: async (asked, { principal: { tenant } }) => (tenant === 'honest' ? asked : Buffer.alloc(2 ** 20)) });
    const connection = await connect();
    const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]); // SETTINGS_INITIAL_WINDOW_SIZE
    connection.send(frame(FRAME.settings, noWindow));
    for (const stream of streams(30)) {
      connection.send(request(stream), frame(FRAME.data, Buffer.alloc(5), { flags: 1, stream }));
      if (!(await connection.answers())) break;
    }
    await connection.ended;
    assert.equal(resets(connection, ENHANCE_YOUR_CALM), 6);
  });
});

describe('a handshake over TLS', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-frames-'));
  const connections = { ...defaultBounds.connections, handshakeMs: 200 };
  let credentials: ServerCredentials;

  before(async () => {
    const { cert, key } = await openDevelopmentTls(dir, ['127.0.0.1'], Date.now());
    credentials = { cert: Buffer.from(cert), key: Buffer.from(key) };
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  it("that stops ends by Node's own timer too", async function () {
    this.timeout(10_000);
    const server = createHttp2Server(credentials, connections).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1'); // it listens on a port
    socket.on('error', () => undefined);
    try {
      socket.write(Buffer.of(0x16, 3, 1, 0, 100));
      const [error] = await once(server, 'tlsClientError');
      assert.equal(error.code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    } finally {
      socket.destroy();
      server.close();
    }
  });

  it('that stops is hung up on', async () => {
    const rig = await startRig({ credentials, bounds: { connections } });
    try {
      const socket = net.connect(Number(rig.address.split(':')[1]), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(Buffer.of(0x16, 3, 1, 0, 100));
      const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(true)));
      assert.ok(await Promise.race([closed, delay(5000, false)]));
      while (rig.server.gauges().connections > 0) await delay(10);
    } finally {
      await rig.close();
    }
  });
});
