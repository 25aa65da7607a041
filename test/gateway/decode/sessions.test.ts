/**
 * Decode sessions over a decoder of arithmetic, whose outputs show each wrong lane, length and
 * order.
 */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { CutlayerError } from '../../../src/errors.js';
import { DecodeSessions, type Session, type SessionsOptions } from '../../../src/gateway/decode/sessions.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { type ArithmeticDecoder, arithmeticDecoder, outputAfter, ROW_BYTES } from '../../support/arithmetic-decoder.js';

const D = 3;
const none = { kind: 'none' } as const;

/** Rows numbered by `first`, different in every value. */
const rowsFrom = (first: number, count: number): Float32Array[] =>
  Array.from({ length: count }, (_, n) => Float32Array.from({ length: D }, (__, i) => Math.sin(first * 100 + n * D + i)));
const asTensor = (rows: readonly Float32Array[]): Tensor<'float32'> =>
  f32([rows.length, D], Float32Array.from(rows.flatMap((row) => [...row])));

describe('decode sessions', () => {
  let decoder: ArithmeticDecoder;
  let sessions: DecodeSessions;
  let time: number;
  let turns: number;
  const start = (bounds: Partial<SessionsOptions['bounds']> = {}): void => {
    decoder = arithmeticDecoder();
    time = 0;
    turns = 0;
    sessions = new DecodeSessions({
      decoder,
      turns: {
        turn: async ({ work }) => {
          turns++;
          await work();
        },
      },
      bounds: {
        ...{ limitBytes: 1000 * ROW_BYTES, tenantBytes: 1000 * ROW_BYTES, maxPerTenant: 8, idleMs: 40_000, restMs: 1000 },
        ...{ chunkRows: 4, maxBatch: 8, share: 0, maxMs: 0, cacheBytes: 0, blockRows: 4, ...bounds },
      },
      digest: 'backbone',
      now: () => time,
    });
  };
  afterEach(() => sessions.shutDown());
  const callOf = (tenant: string, signal?: AbortSignal) => ({ tenant, holder: {}, signal });
  const open = (call: ReturnType<typeof callOf>, id: string, maxRows = 32) => sessions.open(call, { id, maxRows, adapter: none });
  const append = (
    call: ReturnType<typeof callOf>,
    session: Session,
    from: number,
    rows: readonly Float32Array[],
    positions = [rows.length - 1],
  ) => sessions.append(call, session, { from, rows: asTensor(rows), positions });

  it('gives the wanted rows of a prompt in chunks, of steps and of a draft, as one whole sequence does', async () => {
    start();
    const call = callOf('a');
    const session = await open(call, 'x');
    const all = rowsFrom(1, 20);
    const prompt = await append(call, session, 0, all.slice(0, 11), [0, 3, 4, 10]);
    assert.deepEqual(prompt.shape, [4, D]);
    for (const [at, count] of [1, 4, 5, 11].entries())
      assert.deepEqual(prompt.data.slice(at * D, (at + 1) * D), outputAfter(all.slice(0, count)));
    assert.deepEqual(decoder.runs, [[[0, 0, 4]], [[0, 4, 4]], [[0, 8, 3]]]);
    assert.equal(session.length, 11);
    const step = await append(call, session, 11, all.slice(11, 12));
    assert.deepEqual(step.data, outputAfter(all.slice(0, 12)));
    const draft = await append(call, session, 12, all.slice(12, 15), [0, 1, 2]);
    assert.deepEqual(draft.data.slice(2 * D), outputAfter(all.slice(0, 15)));
    assert.equal(turns, 5);
  });

  it('replaces rows that are appended again, and refuses rows beyond its length or its end', async () => {
    start();
    const call = callOf('a');
    const session = await open(call, 'x', 10);
    const [first, other] = [rowsFrom(1, 6), rowsFrom(2, 6)];
    await append(call, session, 0, first);
    const again = await append(call, session, 4, first.slice(4));
    assert.deepEqual(again.data, outputAfter(first), 'the same rows again');
    const replaced = await append(call, session, 3, other.slice(0, 2));
    assert.deepEqual(replaced.data, outputAfter([...first.slice(0, 3), ...other.slice(0, 2)]));
    assert.equal(session.length, 5);
    await assert.rejects(append(call, session, 6, other.slice(0, 1)), { code: 'INVALID_ARGUMENT', message: /^from: expected 0 to 5 rows/ });
    await assert.rejects(append(call, session, 5, other), { code: 'LIMIT_EXCEEDED', message: /opened for 10 rows, these end at 11/ });
    assert.equal(session.length, 5);
    await sessions.rollback(call, session, 2);
    assert.equal(session.length, 2);
    await assert.rejects(sessions.rollback(call, session, 3), { code: 'INVALID_ARGUMENT', message: /^length: expected 0 to 2/ });
    assert.deepEqual((await append(call, session, 2, other.slice(0, 1))).data, outputAfter([...first.slice(0, 2), other[0]!]));
  });

  it("begins with an adapter's rows, which stay", async () => {
    start();
    const call = callOf('a');
    const [prompt, text] = [rowsFrom(1, 5), rowsFrom(2, 3)];
    const session = await sessions.open(call, { id: 'x', maxRows: 16, adapter: { kind: 'softPrompt', value: asTensor(prompt) } });
    assert.equal(session.length, 5);
    assert.deepEqual((await append(call, session, 5, text)).data, outputAfter([...prompt, ...text]));
    await assert.rejects(sessions.rollback(call, session, 4), { message: /expected 5 to 8 rows/ });
    const prefix = await sessions.open(call, {
      id: 'y',
      maxRows: 16,
      adapter: { kind: 'prefix', value: f32([1, 2, 4, 1, 1], new Float32Array(8)) },
    });
    assert.equal(prefix.length, 4);
  });

  it('steps all sessions that wait in one run, of several tenants too', async () => {
    start();
    const calls = ['a', 'a', 'b', 'c'].map((tenant) => callOf(tenant));
    const opened = await Promise.all(calls.map((call, n) => open(call, `s${n}`)));
    const rows = calls.map((_, n) => rowsFrom(n, 2));
    await Promise.all(opened.map((session, n) => append(calls[n]!, session, 0, rows[n]!.slice(0, 1))));
    const outputs = await Promise.all(opened.map((session, n) => append(calls[n]!, session, 1, rows[n]!.slice(1))));
    for (const [n, { data }] of outputs.entries()) assert.deepEqual(data, outputAfter(rows[n]!));
    assert.deepEqual(
      decoder.runs.map((run) => run.length),
      [4, 4],
    );
  });

  it('lets steps go between the chunks of a long prompt', async () => {
    start();
    const [long, short] = [callOf('a'), callOf('b')];
    const [one, two] = [await open(long, 'long', 64), await open(short, 'short')];
    const held = decoder.hold();
    const prompt = append(long, one, 0, rowsFrom(1, 16));
    await held.reached();
    const step = append(short, two, 0, rowsFrom(2, 1));
    held.open();
    await Promise.all([prompt, step]);
    assert.deepEqual(
      decoder.runs.map(([first]) => first![2]),
      [4, 1, 4, 4, 4],
    );
  });

  it('waits a moment for sessions that were answered together, and not for one that has ended', async () => {
    start({ share: 1, maxMs: 5000 });
    const calls = [callOf('a'), callOf('b')];
    const [x, y] = [await open(calls[0]!, 'x'), await open(calls[1]!, 'y')];
    const realTime = setInterval(() => (time += 1), 1);
    try {
      const held = decoder.hold();
      const both = Promise.all([append(calls[0]!, x, 0, rowsFrom(1, 1)), append(calls[1]!, y, 0, rowsFrom(2, 1))]);
      // Of the test's own time: on a busy machine it passes slower than the clock's.
      while (time < 60) await delay(1);
      held.open();
      await both;
      const first = append(calls[0]!, x, 1, rowsFrom(3, 1));
      await delay(10);
      assert.equal(decoder.runs.length, 1, 'it waits for y');
      await append(calls[1]!, y, 1, rowsFrom(4, 1));
      await first;
      assert.deepEqual(
        decoder.runs.map((run) => run.length),
        [2, 2],
      );
      const alone = append(calls[0]!, x, 2, rowsFrom(5, 1));
      await sessions.close(calls[1]!, y);
      await alone;
    } finally {
      clearInterval(realTime);
    }
  });

  it('forks a session, whose copy goes on by itself', async () => {
    start();
    const [call, other] = [callOf('a'), callOf('a')];
    const session = await open(call, 'x');
    const [prompt, one, two] = [rowsFrom(1, 5), rowsFrom(2, 2), rowsFrom(3, 2)];
    await append(call, session, 0, prompt);
    await sessions.fork(call, session, 'y');
    await append(call, session, 5, one);
    const copy = await sessions.resume(other, { id: 'y', length: 99 });
    assert.equal(copy.length, 5);
    assert.deepEqual((await append(other, copy, 5, two)).data, outputAfter([...prompt, ...two]));
    assert.deepEqual((await append(call, session, 6, one.slice(1))).data, outputAfter([...prompt, ...one]));
    await assert.rejects(sessions.fork(call, session, 'x'), { code: 'INVALID_ARGUMENT' });
  });

  it('resumes at the rows that both sides have, on the newest stream alone', async () => {
    start();
    const [call, next] = [callOf('a'), callOf('a')];
    const rows = rowsFrom(1, 8);
    const session = await open(call, 'x');
    await append(call, session, 0, rows.slice(0, 6));
    const resumed = await sessions.resume(next, { id: 'x', length: 4 });
    assert.equal(resumed.length, 4);
    await assert.rejects(append(call, session, 4, rows.slice(4)), { code: 'CANCELLED', message: /another stream/ });
    await sessions.close(call, session);
    assert.deepEqual((await append(next, resumed, 4, rows.slice(4))).data, outputAfter(rows));
    assert.equal((await sessions.resume(callOf('a'), { id: 'x', length: 99 })).length, 8, 'the client knows more: it appends again');
    await assert.rejects(sessions.resume(callOf('b'), { id: 'x', length: 1 }), { code: 'SESSION_EVICTED' }, 'of another tenant');
  });

  it('says SESSION_EVICTED when a session had to make room, was idle for too long, or was closed', async () => {
    start({ limitBytes: 64 * ROW_BYTES });
    const calls = [callOf('a'), callOf('b'), callOf('c')];
    const [x, y] = [await open(calls[0]!, 'x'), await open(calls[1]!, 'y')];
    await assert.rejects(open(calls[2]!, 'z'), { code: 'QUEUE_FULL' });
    time = 1500;
    await append(calls[1]!, y, 0, rowsFrom(1, 1));
    const z = await open(calls[2]!, 'z');
    assert.equal(decoder.lanes.size, 2);
    await assert.rejects(append(calls[0]!, x, 0, rowsFrom(1, 1)), { code: 'SESSION_EVICTED' });
    await sessions.close(calls[2]!, z);
    await assert.rejects(append(calls[2]!, z, 0, rowsFrom(1, 1)), { code: 'SESSION_EVICTED' });
    assert.equal(decoder.lanes.size, 1);
    assert.equal(sessions.stats().decodeBytes, 32 * ROW_BYTES);
  });

  it('frees the lane of a session that nothing has used for its time', async () => {
    start({ idleMs: 40 });
    const call = callOf('a');
    const session = await open(call, 'x');
    time = 50;
    while (decoder.lanes.size > 0) await delay(1);
    await assert.rejects(append(call, session, 0, rowsFrom(1, 1)), { code: 'SESSION_EVICTED' });
    assert.equal(sessions.stats().expiredSessions, 1);
  });

  it('replaces a session of the same id, and holds one lane for it, however often it is opened at once', async () => {
    start();
    const calls = Array.from({ length: 5 }, () => callOf('a'));
    const opened = await Promise.all(calls.map((call) => open(call, 'x')));
    assert.equal(decoder.lanes.size, 1);
    assert.equal(sessions.stats().decodeBytes, 32 * ROW_BYTES);
    const outcomes = await Promise.allSettled(opened.map((session, n) => append(calls[n]!, session, 0, rowsFrom(1, 1))));
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected', 'rejected', 'rejected']);
  });

  it('takes rows out of the queue whose caller has gone, and stops a prompt after its chunk', async () => {
    start();
    const abort = new AbortController();
    const [call, other] = [callOf('a', abort.signal), callOf('b')];
    const [x, y] = [await open(call, 'x', 64), await open(other, 'y')];
    const held = decoder.hold();
    const prompt = append(call, x, 0, rowsFrom(1, 40));
    await held.reached();
    const step = append(other, y, 0, rowsFrom(2, 1));
    abort.abort(new CutlayerError('CANCELLED', 'gone'));
    held.open();
    await assert.rejects(prompt, { code: 'CANCELLED' });
    await step;
    assert.deepEqual(
      decoder.runs.map(([first]) => first![2]),
      [4, 1],
    );
    const resumed = await sessions.resume(callOf('a'), { id: 'x', length: 99 });
    assert.equal(resumed.length, 4, 'what was computed is there');
  });

  it('keeps a session whose run failed, at the rows before it, and loses all when the worker crashed', async () => {
    start();
    const call = callOf('a');
    const session = await open(call, 'x');
    const rows = rowsFrom(1, 3);
    await append(call, session, 0, rows.slice(0, 2));
    decoder.failWith(new CutlayerError('NON_FINITE', 'rows: not finite'));
    await assert.rejects(append(call, session, 2, rows.slice(2)), { code: 'NON_FINITE' });
    assert.deepEqual((await append(call, session, 2, rows.slice(2))).data, outputAfter(rows));
    decoder.failWith(new CutlayerError('WORKER_CRASHED', 'worker: gone'));
    await assert.rejects(append(call, session, 3, rows.slice(2)), { code: 'WORKER_CRASHED' });
    await assert.rejects(append(call, session, 3, rows.slice(2)), { code: 'SESSION_EVICTED' });
    assert.equal(sessions.stats().decodeBytes, 0);
    await open(call, 'x');
  });

  it('fails a session whose outputs are not finite alone, at the rows before them', async () => {
    start();
    const calls = [callOf('a'), callOf('b')];
    const [x, y] = [await open(calls[0]!, 'x'), await open(calls[1]!, 'y')];
    const rows = rowsFrom(1, 2);
    const bad = append(calls[0]!, x, 0, [Float32Array.of(1, Number.NaN, 3)]);
    const good = append(calls[1]!, y, 0, rows.slice(0, 1));
    await assert.rejects(bad, { code: 'NON_FINITE' });
    assert.deepEqual((await good).data, outputAfter(rows.slice(0, 1)));
    assert.deepEqual([x.length, y.length, decoder.runs.length], [0, 1, 1]);
    assert.deepEqual((await append(calls[0]!, x, 0, rows)).data, outputAfter(rows));
  });

  it('fails what waits for a lane that a crash has lost', async () => {
    start();
    const calls = [callOf('a'), callOf('b')];
    const [x, y] = [await open(calls[0]!, 'x'), await open(calls[1]!, 'y')];
    const held = decoder.hold();
    decoder.failWith(new CutlayerError('WORKER_CRASHED', 'worker: gone'));
    const outcomes = Promise.allSettled([append(calls[0]!, x, 0, rowsFrom(1, 9)), append(calls[1]!, y, 0, rowsFrom(2, 9))]);
    await held.reached();
    held.open();
    for (const outcome of await outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason.code, 'WORKER_CRASHED');
    assert.equal(decoder.runs.length, 1);
  });

  it('gives bytes and lane back when an opening fails', async () => {
    start();
    decoder.failWith(new CutlayerError('INTERNAL', 'broken'));
    const softPrompt = { kind: 'softPrompt', value: asTensor(rowsFrom(1, 2)) } as const;
    await assert.rejects(sessions.open(callOf('a'), { id: 'x', maxRows: 8, adapter: softPrompt }), { code: 'INTERNAL' });
    assert.deepEqual([decoder.lanes.size, sessions.stats().decodeBytes], [0, 0]);
  });

  it('is exact for many sessions of several tenants that append, roll back, fork and close at random', async () => {
    start({ limitBytes: 20_000 * ROW_BYTES, tenantBytes: 20_000 * ROW_BYTES, maxPerTenant: 99 });
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        let call = callOf(`t${n % 3}`);
        let session = await open(call, `s${n}`, 64);
        let held: Float32Array[] = [];
        for (let step = 0; step < 40; step++) {
          const from = Math.max(0, held.length - random(4));
          const rows = rowsFrom(n * 1000 + step, 1 + (random(3) === 0 ? random(9) : 0));
          if (from + rows.length > 60) {
            await sessions.close(call, session);
            session = await open(call, `s${n}`, 64);
            held = [];
            continue;
          }
          const { data } = await append(call, session, from, rows);
          held = [...held.slice(0, from), ...rows];
          assert.deepEqual(data, outputAfter(held));
          if (random(8) === 0) {
            await sessions.fork(call, session, `f${n}-${step}`);
            await sessions.close(call, session);
            call = callOf(`t${n % 3}`);
            session = await sessions.resume(call, { id: `f${n}-${step}`, length: held.length });
          }
        }
        await sessions.close(call, session);
      }),
    );
    assert.deepEqual([decoder.lanes.size, sessions.stats().decodeBytes], [0, 0]);
  });
});
