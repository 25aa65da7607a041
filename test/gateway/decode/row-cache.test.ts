/**
 * Rows that a tenant appends again: copied where they are the same from the session's start, and
 * for no other tenant.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { CutlayerError } from '../../../src/errors.js';
import { DecodeSessions, type Session, type SessionsOptions } from '../../../src/gateway/decode/sessions.js';
import type { AdapterInput } from '../../../src/gateway/engine/step-inputs.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { type ArithmeticDecoder, arithmeticDecoder, outputAfter, ROW_BYTES } from '../../support/arithmetic-decoder.js';

const D = 3;
const BLOCK = 4;
const none = { kind: 'none' } as const;
const rowsFrom = (first: number, count: number): Float32Array[] =>
  Array.from({ length: count }, (_, n) => Float32Array.from({ length: D }, (__, i) => Math.sin(first * 100 + n * D + i)));
const asTensor = (rows: readonly Float32Array[]): Tensor<'float32'> =>
  f32([rows.length, D], Float32Array.from(rows.flatMap((row) => [...row])));
const prefixOf = (value: number): AdapterInput => ({ kind: 'prefix', value: f32([1, 2, 3, 1, 1], new Float32Array(6).fill(value)) });

describe('rows that a tenant appends again', () => {
  let decoder: ArithmeticDecoder;
  let sessions: DecodeSessions;
  let time: number;
  let ids: number;
  const start = (bounds: Partial<SessionsOptions['bounds']> = {}): void => {
    decoder = arithmeticDecoder();
    time = 0;
    ids = 0;
    sessions = new DecodeSessions({
      decoder,
      turns: { turn: ({ work }) => work() },
      bounds: {
        ...{ limitBytes: 1000 * ROW_BYTES, tenantBytes: 1000 * ROW_BYTES, maxPerTenant: 99, idleMs: 40_000, restMs: 1000 },
        ...{ chunkRows: 64, maxBatch: 8, share: 0, maxMs: 0, cacheBytes: 1000 * ROW_BYTES, blockRows: BLOCK, ...bounds },
      },
      digest: 'backbone',
      now: () => time,
    });
  };
  afterEach(() => sessions.shutDown());

  interface Stream {
    readonly call: { readonly tenant: string; readonly holder: object };
    readonly session: Session;
  }
  const open = async (tenant = 'a', adapter: AdapterInput = none, maxRows = 32): Promise<Stream> => {
    const call = { tenant, holder: {} };
    return { call, session: await sessions.open(call, { id: `s${ids++}`, maxRows, adapter }) };
  };
  /** Appends; gives the rows that ran for it. */
  const append = async ({ call, session }: Stream, from: number, rows: readonly Float32Array[], positions = [rows.length - 1]) => {
    const before = decoder.runs.length;
    const { data } = await sessions.append(call, session, { from, rows: asTensor(rows), positions });
    const ran = decoder.runs.slice(before).reduce((sum, run) => sum + run[0]![2], 0);
    return { data, ran };
  };
  const close = ({ call, session }: Stream): Promise<void> => sessions.close(call, session);
  const counts = (): readonly [hits: number, rows: number, bytes: number] => {
    const { decodeCacheHits, decodeCachedRows, decodeCacheBytes } = sessions.stats();
    return [decodeCacheHits, decodeCachedRows, decodeCacheBytes];
  };
  /** A session of its own that appends rows once, and ends. */
  const once = async (rows: readonly Float32Array[], tenant = 'a', adapter: AdapterInput = none) => {
    const stream = await open(tenant, adapter);
    const result = await append(stream, stream.session.length, rows);
    await close(stream);
    return result;
  };

  it('copies whole blocks of them, and computes the rest', async () => {
    start();
    const prompt = rowsFrom(1, 11);
    assert.equal((await once(prompt)).ran, 11);
    assert.deepEqual(counts(), [0, 0, 8 * ROW_BYTES]);
    const again = await open();
    const hit = await append(again, 0, prompt);
    assert.deepEqual(hit, { data: outputAfter(prompt), ran: 3 });
    assert.deepEqual(counts(), [1, 8, 8 * ROW_BYTES]);
    const longer = [...prompt.slice(0, 6), ...rowsFrom(2, 7)];
    assert.deepEqual(await once(longer), { data: outputAfter(longer), ran: 9 });
    const step = rowsFrom(3, 1);
    assert.deepEqual(await append(again, 11, step), { data: outputAfter([...prompt, ...step]), ran: 1 });
    const whole = prompt.slice(0, 8);
    assert.deepEqual(await once(whole), { data: outputAfter(whole), ran: 4 }, 'its last row is wanted');
  });

  it('never copies rows of another tenant, nor of rows that began otherwise', async () => {
    start();
    const prompt = rowsFrom(1, 9);
    await once(prompt);
    for (const other of ['b', 'a b', '']) assert.deepEqual(await once(prompt, other), { data: outputAfter(prompt), ran: 9 });
    assert.equal(counts()[0], 0);
    const shifted = [...rowsFrom(2, 1), ...prompt];
    assert.deepEqual(await once(shifted), { data: outputAfter(shifted), ran: 10 });
    assert.equal(counts()[0], 0);
    assert.equal((await once(prompt)).ran, 1, 'its own tenant has them');
    assert.equal((await once(prompt, 'b')).ran, 1, 'and so has each that computed them itself');
  });

  it('tells adapters apart by their values, and computes a soft prompt once', async () => {
    start();
    const [prompt, text] = [rowsFrom(1, 5), rowsFrom(2, 8)];
    for (const adapter of [prefixOf(1), none, prefixOf(2)]) await once(text, 'a', adapter);
    assert.equal(counts()[0], 0);
    const hit = await once(text, 'a', prefixOf(1));
    assert.equal(hit.ran, 4);
    assert.deepEqual(hit.data, (await once(text, 'b', prefixOf(1))).data, 'as one that computes them');
    const softPrompt = { kind: 'softPrompt', value: asTensor(prompt) } as const;
    const all = outputAfter([...prompt, ...text]);
    assert.deepEqual((await once(text, 'a', softPrompt)).data, all);
    const runs = decoder.runs.length;
    assert.deepEqual(await once(text, 'a', softPrompt), { data: all, ran: 1 });
    assert.deepEqual(decoder.runs.slice(runs).map(([first]) => first!.slice(1)), [[4, 1], [12, 1]]); // biome-ignore format: one comparison
  });

  it('computes from the first row on that is wanted', async () => {
    start();
    const prompt = rowsFrom(1, 16);
    await once(prompt);
    for (const [positions, ran] of [
      [[0, 15], 16],
      [[3], 16],
      [[4], 12],
      [[14], 4],
    ] as const) {
      const stream = await open();
      const result = await append(stream, 0, prompt, [...positions]);
      assert.deepEqual([result.ran, result.data.slice(-D)], [ran, outputAfter(prompt.slice(0, positions.at(-1)! + 1))]);
    }
  });

  it('keeps rows of steps, but not a draft that the session drops', async () => {
    start();
    const [prompt, steps, draft] = [rowsFrom(1, 6), rowsFrom(2, 8), rowsFrom(3, 3)];
    const stream = await open();
    await append(stream, 0, prompt);
    await append(stream, 6, draft);
    for (const [at, row] of steps.entries()) await append(stream, 6 + at, [row]);
    assert.equal(counts()[2], 12 * ROW_BYTES);
    const all = [...prompt, ...steps];
    assert.deepEqual(await once(all), { data: outputAfter(all), ran: 2 });
    const dropped = [...prompt, ...draft];
    assert.deepEqual(await once(dropped), { data: outputAfter(dropped), ran: 5 });
  });

  it('gives each session its own rows after rollbacks, forks and other rows in their place', async () => {
    start();
    const [one, other] = [rowsFrom(1, 12), rowsFrom(2, 12)];
    const stream = await open();
    await append(stream, 0, one);
    await sessions.fork(stream.call, stream.session, 'copy');
    await sessions.rollback(stream.call, stream.session, 6);
    const mixed = [...one.slice(0, 6), ...other];
    assert.deepEqual((await append(stream, 6, other)).data, outputAfter(mixed));
    const call = { tenant: 'a', holder: {} };
    const fork = { call, session: await sessions.resume(call, { id: 'copy', length: 10 }) };
    assert.deepEqual((await append(fork, 10, other)).data, outputAfter([...one.slice(0, 10), ...other]));
    assert.deepEqual(await once(one), { data: outputAfter(one), ran: 4 });
    assert.deepEqual(await once(mixed), { data: outputAfter(mixed), ran: 2 });
  });

  it('gives its bytes to sessions before any is refused or ends', async () => {
    start({ limitBytes: 96 * ROW_BYTES });
    await once(rowsFrom(1, 32), 'a');
    await once(rowsFrom(2, 16), 'b');
    const opened: Stream[] = [];
    for (const left of [48, 32, 0]) {
      opened.push(await open('c'));
      assert.equal(counts()[2], left * ROW_BYTES);
    }
    assert.equal(decoder.lanes.size, 3);
    assert.equal((await append(opened[0]!, 0, rowsFrom(1, 20))).ran, 20);
    assert.deepEqual([counts()[2], decoder.lanes.size], [0, 3], 'and takes none from them');
    await assert.rejects(open('c'), { code: 'QUEUE_FULL' });
    const { evictedSessions, decodeBytes } = sessions.stats();
    assert.deepEqual([evictedSessions, decodeBytes], [0, 96 * ROW_BYTES]);
  });

  it("has a tenant's bytes within its part, and all within their own bound", async () => {
    start({ tenantBytes: 40 * ROW_BYTES, cacheBytes: 20 * ROW_BYTES });
    await once(rowsFrom(1, 32));
    assert.equal(counts()[2], 8 * ROW_BYTES, 'beside the session of 32 rows');
    for (let tenant = 0; tenant < 5; tenant++) await once(rowsFrom(2, 32), `t${tenant}`);
    assert.equal(counts()[2], 20 * ROW_BYTES);
  });

  it('ends those that nothing uses', async () => {
    start({ idleMs: 40 });
    await once(rowsFrom(1, 8));
    assert.equal(decoder.lanes.size, 2);
    time = 50;
    while (decoder.lanes.size > 0) await delay(1);
    assert.deepEqual(counts(), [0, 0, 0]);
  });

  it('forgets them when the worker has crashed, and does without where it has no memory or is switched off', async () => {
    start();
    const prompt = rowsFrom(1, 9);
    await once(prompt);
    const stream = await open();
    decoder.failWith(new CutlayerError('WORKER_CRASHED', 'worker: gone'));
    await assert.rejects(append(stream, 0, rowsFrom(2, 2)), { code: 'WORKER_CRASHED' });
    assert.equal(counts()[2], 0);
    assert.equal((await once(prompt)).ran, 9);
    const { keep, copy } = decoder;
    const broken = (): Promise<never> => Promise.reject(new CutlayerError('OUT_OF_MEMORY', 'lane: no memory'));
    decoder.copy = broken;
    assert.deepEqual(await once(prompt), { data: outputAfter(prompt), ran: 9 });
    Object.assign(decoder, { copy, keep: broken });
    const other = rowsFrom(3, 9);
    for (let time = 0; time < 2; time++) assert.deepEqual(await once(other), { data: outputAfter(other), ran: 9 });
    decoder.keep = keep;
    await sessions.shutDown();
    start({ cacheBytes: 0 });
    for (let time = 0; time < 2; time++) assert.equal((await once(prompt)).ran, 9);
    assert.deepEqual(counts(), [0, 0, 0]);
  });

  it('is exact for many sessions of several tenants whose rows begin alike, within its bounds', async () => {
    const [limitRows, cacheRows] = [400, 60];
    start({ limitBytes: limitRows * ROW_BYTES, cacheBytes: cacheRows * ROW_BYTES });
    let seed = 11;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return (seed >> 8) % below;
    };
    const texts = [rowsFrom(1, 30), [...rowsFrom(1, 9), ...rowsFrom(2, 21)], [...rowsFrom(1, 14), ...rowsFrom(3, 16)]];
    await Promise.all(
      Array.from({ length: 9 }, async (_, n) => {
        for (let round = 0; round < 12; round++) {
          const stream = await open(`t${n % 3}`);
          const text = texts[random(3)]!;
          for (let at = 0; at < text.length; ) {
            const count = Math.min(text.length - at, 1 + random(random(2) === 0 ? 14 : 2));
            const positions = random(4) === 0 ? Array.from({ length: count }, (__, row) => row) : [count - 1];
            const { data } = await append(stream, at, text.slice(at, at + count), positions);
            assert.deepEqual(data.slice(-D), outputAfter(text.slice(0, at + count)));
            const { decodeBytes, decodeCacheBytes } = sessions.stats();
            assert.ok(decodeCacheBytes <= cacheRows * ROW_BYTES && decodeBytes + decodeCacheBytes <= limitRows * ROW_BYTES);
            at = Math.max(0, at + count - (random(6) === 0 ? random(4) : 0));
          }
          await close(stream);
        }
      }),
    );
    const [hits, rows, bytes] = counts();
    assert.ok(hits > 20 && rows > 100, `${hits} hits, ${rows} rows`);
    assert.equal(decoder.lanes.size, bytes / (BLOCK * ROW_BYTES));
  });
});
