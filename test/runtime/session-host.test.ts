import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import { symbol } from '../../src/compiler/onnx/dim.js';
import { encodeModel } from '../../src/compiler/onnx/encoder.js';
import { CutlayerError, type ErrorCode } from '../../src/errors.js';
import { type HostOptions, openGraphs, type SessionHost } from '../../src/runtime/graphs.js';
import { f32, tensor } from '../../src/tensor/tensor.js';
import { thorough } from '../support/exhaustive.js';
import { mortalWorkers } from '../support/mortal-worker.js';
import { anonymousBytes, sharedOutBytes } from '../support/process-memory.js';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof CutlayerError && error.code === code;

/** square.onnx: y = x * x. slow.onnx: a chain of products of [n, n] that takes a while. logs.onnx: y = log(x). */
function writeGraphs(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-graphs-'));
  const n = symbol('n');
  const square = new GraphBuilder();
  const x = square.input('x', 'float32', [n]);
  writeFileSync(join(dir, 'square.onnx'), encodeModel(square.build({ outputs: { y: square.mul(x, x), double: square.add(x, x) } })));
  const slow = new GraphBuilder();
  const matrix = slow.input('x', 'float32', [n, n]);
  let product = matrix;
  for (let i = 0; i < 8; i++) product = slow.matMul(product, matrix);
  writeFileSync(join(dir, 'slow.onnx'), encodeModel(slow.build({ outputs: { y: product } })));
  const logs = new GraphBuilder();
  const input = logs.input('x', 'float32', [n]);
  writeFileSync(join(dir, 'logs.onnx'), encodeModel(logs.build({ outputs: { y: logs.log(input) } })));
  const picks = new GraphBuilder();
  const row = picks.input('x', 'float32', [n]);
  const sixth = picks.gather(row, picks.constant(tensor('int64', [1], BigInt64Array.of(5n))));
  writeFileSync(join(dir, 'picks.onnx'), encodeModel(picks.build({ outputs: { y: picks.mul(row, row), sixth } })));
  return dir;
}

const vector = (...values: number[]) => ({ x: f32([values.length], values) });
const zeros = (n: number) => ({ x: f32([n, n], new Float32Array(n * n)) });
const graphs = ['square.onnx', 'slow.onnx', 'logs.onnx', 'picks.onnx'];

describe('runtime/session-host', () => {
  const dir = writeGraphs();
  const open: SessionHost[] = [];
  const host = async (options: HostOptions = {}): Promise<SessionHost> => {
    const opened = await openGraphs({ dir, graphs }, { threads: 1, ...options });
    open.push(opened);
    return opened;
  };
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });

  it('runs a graph and leaves the caller its feeds', async () => {
    const opened = await host();
    const feeds = vector(1, 2, 3);
    const { y } = await opened.run('square.onnx', feeds, { fetches: ['y'] });
    assert.deepEqual(y, f32([3], [1, 4, 9]));
    assert.deepEqual(feeds.x, f32([3], [1, 2, 3]));
    assert.deepEqual(Object.keys(await opened.run('square.onnx', feeds)), ['y', 'double']);
  });

  it('takes the feeds themselves when told to, without a copy', async () => {
    const opened = await host();
    const feeds = vector(1, 2, 3);
    await opened.run('square.onnx', feeds, { transfer: true });
    assert.equal(feeds.x.data.byteLength, 0);
  });

  it('never runs a queued call that was cancelled, and leaves it its feeds', async () => {
    const opened = await host();
    const first = opened.run('slow.onnx', zeros(256));
    const abort = new AbortController();
    const feeds = vector(5);
    const second = opened.run('square.onnx', feeds, { signal: abort.signal, transfer: true });
    assert.equal(opened.stats().queueLength, 1);
    abort.abort();
    await assert.rejects(second, hasCode('CANCELLED'));
    assert.equal(opened.stats().queueLength, 0);
    assert.equal(feeds.x.data[0], 5);
    await first;
  });

  it('frees the caller of a running call that was cancelled, drops its result and goes on', async () => {
    const opened = await host();
    const abort = new AbortController();
    const running = opened.run('slow.onnx', zeros(256), { signal: abort.signal });
    assert.equal(opened.stats().running, 1);
    abort.abort();
    await assert.rejects(running, hasCode('CANCELLED'));
    assert.equal(opened.stats().running, 1, 'native work cannot be stopped');
    const { y } = await opened.run('square.onnx', vector(3));
    assert.deepEqual(y, f32([1], [9]));
    assert.equal(opened.stats().running, 0);
  });

  it("gives the reason of the caller's signal where that is one of our errors", async () => {
    const opened = await host();
    const late = new CutlayerError('DEADLINE_EXCEEDED', 'too late');
    await assert.rejects(opened.run('square.onnx', vector(1), { signal: AbortSignal.abort(late) }), late);
  });

  it('refuses calls beyond the queue limit with QUEUE_FULL and answers the others', async () => {
    const opened = await host({ queueLimit: 2 });
    const calls = [1, 2, 3, 4].map((value) => opened.run('square.onnx', vector(value)));
    const settled = await Promise.allSettled(calls);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
    );
    await assert.rejects(calls[3]!, hasCode('QUEUE_FULL'));
  });

  it('runs higher priorities first', async () => {
    const opened = await host();
    const order: string[] = [];
    const call = (name: string, priority: number) => opened.run('square.onnx', vector(1), { priority }).then(() => order.push(name));
    await Promise.all([call('running', 0), call('low', 0), call('high', 1)]);
    assert.deepEqual(order, ['running', 'high', 'low']);
  });

  it("tells a dead worker's caller WORKER_CRASHED, restarts the worker and loses nothing else", async () => {
    const { workers, spawn } = mortalWorkers();
    const opened = await host({ workers: 2, queueLimit: 16, spawn, restartPauseMs: 1 });
    workers[0]!.dieAtNextRun();
    const victim = opened.run('slow.onnx', zeros(200));
    const others = [2, 3, 4, 5, 6].map((value) => opened.run('square.onnx', vector(value)));
    await assert.rejects(victim, hasCode('WORKER_CRASHED'));
    const values = (await Promise.all(others)).map(({ y }) => y?.data[0]);
    assert.deepEqual(values, [4, 9, 16, 25, 36]);
  });

  it('keeps waiting calls over the restart of its only worker', async () => {
    const { workers, spawn } = mortalWorkers();
    const opened = await host({ spawn, restartPauseMs: 1 });
    workers[0]!.dieAtNextRun();
    const victim = opened.run('square.onnx', vector(1));
    const waiting = opened.run('square.onnx', vector(7));
    await assert.rejects(victim, hasCode('WORKER_CRASHED'));
    assert.equal((await waiting).y?.data[0], 49);
    assert.equal(opened.stats().workerRestarts, 1);
    assert.equal(workers.length, 2);
  });

  it('tells waiting calls WORKER_CRASHED when the worker dies at every start', async () => {
    const { workers, spawn } = mortalWorkers();
    let broken = false;
    const opened = await host({
      spawn: (settings) => (broken ? new Worker('throw new Error("no native library")', { eval: true }) : spawn(settings)),
      restartPauseMs: 1,
    });
    workers[0]!.dieAtNextRun();
    const victim = opened.run('square.onnx', vector(1));
    const waiting = opened.run('square.onnx', vector(7));
    broken = true;
    await assert.rejects(victim, hasCode('WORKER_CRASHED'));
    await assert.rejects(waiting, (error: CutlayerError) => {
      assert.equal(error.code, 'WORKER_CRASHED');
      assert.ok(!error.message.includes('native library'));
      assert.match(String(error.cause), /no native library/);
      return true;
    });
    broken = false;
    assert.equal((await opened.run('square.onnx', vector(2))).y?.data[0], 4);
  });

  it('does not open when a worker cannot start', async () => {
    const spawn = (): Worker => new Worker('process.exit(3)', { eval: true });
    await assert.rejects(host({ spawn }), hasCode('UNAVAILABLE'));
  });

  it('does not open with a missing or broken graph: INVALID_ARTIFACT names the file, the native message is only the cause', async () => {
    await assert.rejects(openGraphs({ dir, graphs: ['absent.onnx'] }), hasCode('INVALID_ARTIFACT'));
    await assert.rejects(openGraphs({ dir, weightsFile: 'absent.safetensors', graphs }), hasCode('INVALID_ARTIFACT'));
    writeFileSync(join(dir, 'broken.onnx'), 'not a graph');
    await assert.rejects(openGraphs({ dir, graphs: ['broken.onnx'] }), (error: CutlayerError) => {
      assert.equal(error.code, 'INVALID_ARTIFACT');
      assert.match(error.message, /^broken\.onnx: the graph or its weights cannot be opened/);
      assert.match(String(error.cause), /protobuf/i);
      return true;
    });
  });

  it('answers wrong feeds with INTERNAL, keeps the native message for the log, and goes on', async () => {
    const opened = await host();
    await assert.rejects(opened.run('square.onnx', { x: f32([1, 1], [1]) }), (error: CutlayerError) => {
      assert.equal(error.code, 'INTERNAL');
      assert.ok(!/rank/i.test(error.message));
      assert.match(String(error.cause), /rank/i);
      return true;
    });
    await assert.rejects(opened.run('square.onnx', { x: tensor('int64', [1], BigInt64Array.of(1n)) }), hasCode('INTERNAL'));
    await assert.rejects(opened.run('elsewhere.onnx', vector(1)), hasCode('NOT_FOUND'));
    assert.equal((await opened.run('square.onnx', vector(2))).y?.data[0], 4);
    assert.equal(opened.stats().workerRestarts, 0);
  });

  it('computes the outputs asked for alone, where told to: one that would fail is not computed', async () => {
    const opened = await host();
    await assert.rejects(opened.run('picks.onnx', vector(3), { fetches: ['y'] }), hasCode('INTERNAL'));
    assert.deepEqual(await opened.run('picks.onnx', vector(3), { fetches: ['y'], pruned: true }), { y: f32([1], [9]) });
    const six = vector(1, 2, 3, 4, 5, 6);
    assert.deepEqual(await opened.run('picks.onnx', six, { fetches: ['sixth'], pruned: true }), { sixth: f32([1], [6]) });
    assert.deepEqual(Object.keys(await opened.run('picks.onnx', six)), ['y', 'sixth'], 'the whole graph is as it was');
  });

  it('refuses an output that must be finite and is not', async () => {
    const opened = await host();
    for (const bad of [-1, 0]) {
      await assert.rejects(opened.run('logs.onnx', vector(1, bad, 2), { finite: ['y'] }), hasCode('NON_FINITE'));
    }
    assert.deepEqual((await opened.run('logs.onnx', vector(1), { finite: ['y'] })).y?.data[0], 0);
  });

  it('opens more graphs than it may keep open, one after the other', async () => {
    const opened = await host({ maxOpenGraphs: 1, warm: false });
    for (let round = 0; round < 3; round++) {
      assert.equal((await opened.run('square.onnx', vector(3))).y?.data[0], 9);
      assert.equal((await opened.run('logs.onnx', vector(1))).y?.data[0], 0);
    }
  });

  it('is ready when the graphs asked for are open; one of the others that cannot be opened fails only the calls that need it', async () => {
    writeFileSync(join(dir, 'broken.onnx'), 'not a graph');
    const opened = await openGraphs({ dir, graphs: [...graphs, 'broken.onnx'] }, { threads: 1, warm: ['square.onnx'] });
    open.push(opened);
    await assert.rejects(opened.run('broken.onnx', vector(1)), hasCode('INVALID_ARTIFACT'));
    assert.equal((await opened.run('logs.onnx', vector(1))).y?.data[0], 0);
    assert.equal((await opened.run('square.onnx', vector(3))).y?.data[0], 9);
    assert.equal(opened.stats().workerRestarts, 0);
  });

  it('fails waiting calls with UNAVAILABLE when closed, lets the running one finish, and refuses later ones', async () => {
    const opened = await openGraphs({ dir, graphs }, { threads: 1 });
    const running = opened.run('square.onnx', vector(3));
    const waiting = opened.run('square.onnx', vector(3));
    const closed = opened.close();
    await assert.rejects(waiting, hasCode('UNAVAILABLE'));
    assert.equal((await running).y?.data[0], 9);
    await closed;
    await assert.rejects(opened.run('square.onnx', vector(3)), hasCode('UNAVAILABLE'));
  });

  thorough('holds the weights once for two workers and two hosts: they are shared pages of the file', async function () {
    if (!existsSync('/proc/self/smaps_rollup')) this.skip();
    const weightBytes = 200 * 2 ** 20;
    const [inner, outer] = [1024, weightBytes / 4 / 1024];
    const shared = mkdtempSync(join(tmpdir(), 'cutlayer-weights-'));
    writeFileSync(join(shared, 'weights.bin'), '');
    truncateSync(join(shared, 'weights.bin'), weightBytes);
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [symbol('n'), inner]);
    const product = g.gemm({ A: x, B: g.weight('w', 'float32', [outer, inner]) }, { transB: 1 });
    const externalData = () => ({ location: 'weights.bin', offset: 0, length: weightBytes });
    writeFileSync(join(shared, 'big.onnx'), encodeModel(g.build({ outputs: { y: g.reduceSum(product, [1]) } }), { externalData }));
    const before = { anonymous: anonymousBytes(), own: sharedOutBytes() };
    for (const _ of [1, 2]) {
      const opened = await openGraphs({ dir: shared, weightsFile: 'weights.bin', graphs: ['big.onnx'] }, { workers: 2, threads: 1 });
      open.push(opened);
      const feeds = { x: f32([1, inner], new Float32Array(inner)) };
      await Promise.all([opened.run('big.onnx', feeds), opened.run('big.onnx', feeds)]);
    }
    const grown = { anonymous: anonymousBytes() - before.anonymous, own: sharedOutBytes() - before.own };
    assert.ok(grown.anonymous < 0.5 * weightBytes, `private memory grew by ${grown.anonymous / 2 ** 20} MiB`);
    assert.ok(grown.own < 1.5 * weightBytes, `memory with shared pages counted once grew by ${grown.own / 2 ** 20} MiB`);
  });
});
