/** Decode streams over gRPC, with a decoder of arithmetic behind them. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials, type Metadata } from '@grpc/grpc-js';
import { type BackboneArtifact, loadBackbone } from '../../../src/artifacts/store.js';
import { type DecodeServing, decodeService } from '../../../src/gateway/decode/decode-service.js';
import { DecodeSessions } from '../../../src/gateway/decode/sessions.js';
import { loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import type { DecodeClient } from '../../../src/protocol/wire/generated/cutlayer/v1/Decode.js';
import type { DecodeRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import type { Scope } from '../../../src/server/auth/scopes.js';
import { createLogger } from '../../../src/server/observability/log.js';
import type { CallObservation } from '../../../src/server/observability/metrics.js';
import { createRpcServer, type RpcServer } from '../../../src/server/rpc/server.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { type ArithmeticDecoder, arithmeticDecoder, outputAfter, ROW_BYTES } from '../../support/arithmetic-decoder.js';
import { openDecodeStream, type TestDecodeStream } from '../../support/decode-stream.js';
import { protectionRig } from '../../support/protection-rig.js';
import { principal } from '../../support/rpc-rig.js';
import { bearer } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const D = 8;
const rowsFrom = (first: number, count: number): Float32Array[] =>
  Array.from({ length: count }, (_, n) => Float32Array.from({ length: D }, (__, i) => Math.sin(first * 100 + n * D + i)));
const asTensor = (rows: readonly Float32Array[]): Tensor<'float32'> =>
  f32([rows.length, D], Float32Array.from(rows.flatMap((row) => [...row])));
const message = (rows: readonly Float32Array[]) => encodeTensor(asTensor(rows), 'f32');

describe('the decode service', () => {
  let backbone: BackboneArtifact;
  let decoder: ArithmeticDecoder;
  let server: RpcServer;
  let client: DecodeClient;
  let port: number;
  let observed: CallObservation[];
  let held: number;
  let stop: () => Promise<void>;

  before(async () => {
    backbone = await loadBackbone((await tinyBackbone({ hiddenSize: D, numLayers: 2 })).dir);
  });
  after(() => rm(backbone.dir, { recursive: true, force: true }));
  afterEach(() => stop());

  async function start({ without = false, tenantRows = 200, cacheBytes = 0 } = {}): Promise<void> {
    decoder = arithmeticDecoder(64);
    [observed, held] = [[], 0];
    const sessions = new DecodeSessions({
      decoder,
      turns: { turn: ({ work }) => work() },
      bounds: {
        ...{ limitBytes: 1000 * ROW_BYTES, tenantBytes: tenantRows * ROW_BYTES, maxPerTenant: 8, idleMs: 60_000, restMs: 0 },
        ...{ chunkRows: 4, maxBatch: 8, share: 0, maxMs: 0 },
        ...{ cacheBytes, blockRows: 4 },
      },
      digest: backbone.digest,
      now: () => performance.now(),
    });
    const hold = (_: string, bytes: number) => {
      held += bytes;
      return { release: () => (held -= bytes) };
    };
    const serving: DecodeServing = {
      ...{ backbone, limits: { maxTokens: 32, maxVirtualTokens: 16 }, maxRows: decoder.maxRows, longRows: decoder.longRows },
      ...{ sessions: async () => sessions, hold, protection: protectionRig({ hiddenSize: D }).protection },
    };
    server = createRpcServer({
      role: 'gateway',
      services: [decodeService(without ? undefined : serving, 32)],
      verify: async (token) => ({ ...principal(token), scopes: new Set<Scope>(token === 'nobody' ? [] : ['infer']) }),
      limits: { maxMessageBytes: 2 ** 20, maxDeadlineMs: 60_000, maxInFlight: 4 },
      credentials: 'insecure',
      metrics: { observeCall: (call) => void observed.push(call) },
      log: createLogger({ level: 'silent' }),
      now: Date.now,
    });
    port = await server.listen('127.0.0.1:0');
    client = newClient();
    stop = async () => {
      client.close();
      await server.drain(0);
      await sessions.shutDown();
    };
  }
  const newClient = (): DecodeClient => new (loadDecodeService())(`127.0.0.1:${port}`, credentials.createInsecure());
  const stream = (tenant = 'acme', metadata: Metadata = bearer(tenant)): TestDecodeStream => openDecodeStream(client, metadata);
  const opening = (sessionId: string, more: DecodeRequest['open'] = {}): DecodeRequest => ({
    open: { sessionId, backboneDigest: backbone.digest, maxRows: 40, ...more },
  });
  const rowsOf = (answer: { readonly rows: Parameters<typeof decodeTensor>[0] }): Float32Array =>
    decodeTensor(answer.rows, { name: 'rows', shape: ['*', D] }).data;

  it('opens, appends, rolls back, forks and closes, with the length after each', async () => {
    await start();
    const one = stream();
    const [prompt, text, other] = [rowsFrom(1, 3), rowsFrom(2, 6), rowsFrom(3, 1)];
    assert.deepEqual(await one.ask(opening('x', { softPrompt: message(prompt) })), { length: 3, rows: null });
    const answer = await one.ask({ append: { from: 3, rows: message(text) } });
    assert.equal(answer.length, 9);
    assert.deepEqual(rowsOf(answer), outputAfter([...prompt, ...text]));
    const wanted = await one.ask({ append: { from: 7, rows: message(text.slice(4)), positions: [0, 1] } });
    assert.equal(rowsOf(wanted).length, 2 * D);
    assert.equal((await one.ask({ rollback: { length: 5 } })).length, 5);
    assert.equal((await one.ask({ fork: { sessionId: 'y' } })).length, 5);
    const two = stream();
    assert.equal((await two.ask({ resume: { sessionId: 'y', length: 5 } })).length, 5);
    const forked = await two.ask({ append: { from: 5, rows: message(other) } });
    assert.deepEqual(rowsOf(forked), outputAfter([...prompt, ...text.slice(0, 2), ...other]));
    assert.equal((await one.ask({ close: {} })).length, 0);
    await Promise.all([one.end(), two.end()]);
    assert.equal(decoder.lanes.size, 1, 'a stream that ends leaves its session');
    assert.equal(held, 0);
    assert.equal(server.gauges().messageBytes, 0);
    assert.deepEqual(
      observed.map(({ method, tenant, code, rows }) => ({ method, tenant, code, rows })),
      [
        { method: 'Decode', tenant: 'acme', code: 'OK', rows: 3 + 6 + 2 },
        { method: 'Decode', tenant: 'acme', code: 'OK', rows: 1 },
      ],
    );
  });

  it('goes on after a broken stream, and replaces rows whose answer was lost', async () => {
    await start();
    const rows = rowsFrom(1, 6);
    const broken = stream();
    await broken.ask(opening('x'));
    await broken.ask({ append: { from: 0, rows: message(rows.slice(0, 4)) } });
    broken.call.write({ append: { from: 4, rows: message(rows.slice(4, 5)) } });
    broken.call.cancel();
    const next = stream();
    assert.equal((await next.ask({ resume: { sessionId: 'x', length: 4 } })).length, 4);
    assert.deepEqual(rowsOf(await next.ask({ append: { from: 4, rows: message(rows.slice(4)) } })), outputAfter(rows));
    await assert.rejects(stream('other').ask({ resume: { sessionId: 'x', length: 4 } }), { code: 'SESSION_EVICTED' });
  });

  it('answers without rows where none is wanted, and copies all that it has kept', async () => {
    await start({ cacheBytes: 2 ** 16 });
    const rows = rowsFrom(1, 8);
    const append: DecodeRequest = { append: { from: 0, rows: message(rows), noRows: true } };
    for (const id of ['x', 'y']) {
      const one = stream();
      await one.ask(opening(id));
      assert.deepEqual(await one.ask(append), { length: 8, rows: null });
      assert.deepEqual(rowsOf(await one.ask({ append: { from: 8, rows: message(rows.slice(0, 1)) } })), outputAfter([...rows, rows[0]!]));
    }
    const ran = decoder.runs.map((run) => run.map(([, from, count]) => [from, count]));
    assert.deepEqual(ran.slice(-2), [[[8, 1]], [[8, 1]]], 'the second session computes its last row alone');
  });

  for (const [way, stopping] of Object.entries({
    'is cancelled': ({ call }) => call.cancel(),
    'is past its deadline': () => undefined,
  } as const satisfies Record<string, (broken: TestDecodeStream) => void>))
    it(`stops a prompt after its chunk when its stream ${way}`, async () => {
      await start();
      const rows = rowsFrom(1, 32);
      const deadlineMs = way === 'is past its deadline' ? 400 : 60_000;
      const broken = openDecodeStream(client, bearer('acme'), deadlineMs);
      await broken.ask(opening('x', { softPrompt: message(rows.slice(0, 3)) }));
      const runs = decoder.runs.length;
      const gate = decoder.hold();
      const prompt = broken.ask({ append: { from: 3, rows: message(rows) } });
      gate.open(1);
      while (decoder.runs.length === runs) await delay(1);
      stopping(broken);
      await assert.rejects(prompt);
      while (server.gauges().openStreams > 0) await delay(1);
      gate.open();
      while (held > 0) await delay(1);
      assert.deepEqual([decoder.runs.length - runs, server.gauges().messageBytes], [2, 0], 'the chunk that ran, and the next one');
      client.close();
      client = newClient();
      const next = stream();
      assert.equal((await next.ask({ resume: { sessionId: 'x', length: 99 } })).length, 3 + 8);
      assert.deepEqual(
        rowsOf(await next.ask({ append: { from: 11, rows: message(rows.slice(8)) } })),
        outputAfter([...rows.slice(0, 3), ...rows]),
      );
    });

  it('answers in the requested element type, and takes every one', async () => {
    await start();
    const rows = asTensor(rowsFrom(1, 2));
    for (const dtype of ['f32', 'f16', 'bf16', 'int8'] as const) {
      const one = stream();
      await one.ask(opening(`x-${dtype}`));
      const answer = await one.ask({ append: { from: 0, rows: encodeTensor(rows, dtype), positions: [0, 1] } });
      assert.equal(answer.rows!.dtype, encodeTensor(rows, dtype).dtype);
      const wide = await one.ask({ append: { from: 0, rows: encodeTensor(rows, dtype), responseDtype: 'DTYPE_F32' } });
      assert.equal(wide.rows!.dtype, 'DTYPE_F32');
      await one.end();
    }
  });

  it('says what was wrong with a message, by field', async () => {
    await start();
    const rows = message(rowsFrom(1, 2));
    const prefix = encodeTensor(f32([2, 2, 3, 2, 4], new Float32Array(96)), 'f32');
    const refused = async (requests: readonly DecodeRequest[]) => {
      const one = stream();
      const asked = requests.map((request) => one.ask(request));
      const [last] = (await Promise.allSettled(asked)).slice(-1);
      return last?.status === 'rejected' ? `${last.reason.code} ${last.reason.message}` : 'answered';
    };
    const wrong: readonly (readonly [RegExp, ...DecodeRequest[]])[] = [
      [/^INVALID_ARGUMENT action: expected one of open, resume, append, rollback, fork, close, got none/, {}],
      [/^INVALID_ARGUMENT action: expected open or resume first/, { append: { rows } }],
      [/^INVALID_ARGUMENT action: this stream has a session/, opening('x'), opening('y')],
      [/^INVALID_ARGUMENT action: expected open or resume first/, opening('x'), { close: {} }, { rollback: { length: 0 } }],
      [/^INVALID_ARGUMENT open.sessionId: expected 1 to 64/, opening('a b')],
      [/^INVALID_ARGUMENT open.maxRows: expected at least 1/, opening('x', { maxRows: 0 })],
      [/^LIMIT_EXCEEDED open.maxRows: expected at most 64, got 65/, opening('x', { maxRows: 65 })],
      [/^INVALID_ARGUMENT open.longRope: this backbone has no sessions with the rope of long/, opening('x', { longRope: true })],
      [/^BACKBONE_MISMATCH/, opening('x', { backboneDigest: 'a'.repeat(64) })],
      [/^INVALID_ARGUMENT open.adapter: expected a soft prompt or a prefix, got both/, opening('x', { softPrompt: rows, prefix })],
      [/^INVALID_SHAPE softPrompt/, opening('x', { softPrompt: { ...rows, shape: [3, D] } })],
      [/^LIMIT_EXCEEDED softPrompt virtual tokens: expected at most 1/, opening('x', { softPrompt: rows, maxRows: 2 })],
      [/^INVALID_ARGUMENT rows: expected a tensor/, opening('x'), { append: {} }],
      [/^INVALID_SHAPE rows/, opening('x'), { append: { rows: { ...rows, shape: [1, 2 * D] } } }],
      [/^LIMIT_EXCEEDED rows: expected at most 32, got 33/, opening('x'), { append: { rows: message(rowsFrom(1, 33)) } }],
      [/^INVALID_ARGUMENT from: expected 0 to 0 rows/, opening('x'), { append: { rows, from: 1 } }],
      [/^INVALID_ARGUMENT positions: expected rows below 2, got 2/, opening('x'), { append: { rows, positions: [2] } }],
      [/^INVALID_ARGUMENT positions: expected a strictly increasing list/, opening('x'), { append: { rows, positions: [1, 1] } }],
      [/^INVALID_ARGUMENT noRows: expected no positions with it, got 1/, opening('x'), { append: { rows, positions: [1], noRows: true } }],
      [/^LIMIT_EXCEEDED append.positions/, opening('x'), { append: { rows, positions: Array.from({ length: 33 }, (_, n) => n) } }],
      [/^INVALID_ARGUMENT length: expected 0 to 0/, opening('x'), { rollback: { length: 1 } }],
      [/^INVALID_ARGUMENT fork.sessionId/, opening('x'), { fork: { sessionId: '' } }],
      [/^SESSION_EVICTED session: it is not held/, { resume: { sessionId: 'never', length: 0 } }],
    ];
    for (const [pattern, ...requests] of wrong) assert.match(await refused(requests), pattern);
    assert.equal(server.gauges().messageBytes, 0);
    assert.equal(held, 0);
  });

  it('needs a scope', async () => {
    await start();
    await assert.rejects(stream('nobody').ask(opening('x')), { code: 'SCOPE_MISSING' });
  });

  it('refuses sessions beyond the bytes of a tenant before it allocates anything', async () => {
    await start({ tenantRows: 39 });
    await assert.rejects(stream().ask(opening('x')), { code: 'LIMIT_EXCEEDED', message: /would take 4000 bytes, a tenant may have 3900/ });
    assert.equal(decoder.lanes.size, 0);
  });

  it('says that a backbone without a graph for decoding has to be packed again', async () => {
    await start({ without: true });
    await assert.rejects(stream().ask(opening('x')), { code: 'UNIMPLEMENTED', message: /pack the checkpoint again/ });
  });
});
