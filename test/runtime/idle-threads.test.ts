/** Threads that closed hosts leave serve the next ones, and keep nothing alive. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import { encodeModel } from '../../src/compiler/onnx/encoder.js';
import { packageRoot } from '../../src/files/package-root.js';
import { openGraphs, type SessionHost } from '../../src/runtime/graphs.js';
import { IdleThreads } from '../../src/runtime/idle-threads.js';
import { f32 } from '../../src/tensor/tensor.js';

const ECHO = `const { parentPort, threadId } = require('node:worker_threads'); parentPort.on('message', () => parentPort.postMessage(threadId));`;

async function answerOf(thread: Worker): Promise<unknown> {
  const answer = once(thread, 'message');
  thread.postMessage('ask');
  return (await answer)[0];
}

describe('idle threads', () => {
  it('are given again, without the listeners of before, and answer', async () => {
    const idle = new IdleThreads();
    const thread = new Worker(ECHO, { eval: true });
    const { threadId } = thread;
    let late = 0;
    thread.on('message', () => late++);
    assert.equal(await answerOf(thread), threadId);
    idle.keep(thread);
    assert.equal(idle.take(), thread);
    assert.equal(idle.take(), undefined);
    assert.equal(await answerOf(thread), threadId);
    assert.equal(late, 1);
    await thread.terminate();
  });

  it('are four at most, and none that has ended', async () => {
    const idle = new IdleThreads();
    const threads = Array.from({ length: 5 }, () => new Worker(ECHO, { eval: true }));
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    for (const thread of threads) idle.keep(thread);
    await once(threads[4]!, 'exit');
    await threads[1]!.terminate();
    assert.deepEqual([idle.take(), idle.take(), idle.take(), idle.take()], [threads[3], threads[2], threads[0], undefined]);
    for (const thread of threads) await thread.terminate();
  });

  describe('of hosts', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-idle-'));
    before(() => {
      for (const [name, factor] of [
        ['double', 2],
        ['triple', 3],
      ] as const) {
        const g = new GraphBuilder();
        const x = g.input('x', 'float32', [1]);
        writeFileSync(join(dir, `${name}.onnx`), encodeModel(g.build({ outputs: { y: g.mul(x, factor) } })));
      }
    });
    after(() => rmSync(dir, { recursive: true }));

    const open = (name: string): Promise<SessionHost> => openGraphs({ dir, graphs: [`${name}.onnx`] }, { threads: 1 });
    const result = async (host: SessionHost, name: string): Promise<unknown> => {
      const { y } = await host.run(`${name}.onnx`, { x: f32([1], [5]) });
      return y!.data[0];
    };

    it('run the graphs of the next host, and those alone', async () => {
      const first = await open('double');
      assert.equal(await result(first, 'double'), 10);
      await Promise.all([first.close(), first.close()]);
      const started = new Worker('', { eval: true }).threadId;
      for (const name of ['triple', 'double', 'triple']) {
        const host = await open(name);
        assert.equal(await result(host, name), name === 'double' ? 10 : 15);
        await host.close();
      }
      await assert.rejects(first.run('double.onnx', { x: f32([1], [5]) }), { code: 'UNAVAILABLE', message: /closed/ });
      assert.equal(new Worker('', { eval: true }).threadId, started + 1, 'no thread was started in between');
    });

    it('do not keep the process, nor its status', async () => {
      const at = (path: string): string => JSON.stringify(join(packageRoot(), 'dist', path));
      const program = `
        import { openGraphs } from ${at('src/runtime/graphs.js')};
        const host = await openGraphs({ dir: ${JSON.stringify(dir)}, graphs: ['double.onnx'] }, { threads: 1 });
        const { y } = await host.run('double.onnx', { x: { dtype: 'float32', shape: [1], data: Float32Array.of(5) } });
        await host.close();
        process.stdout.write(String(y.data[0]));
        process.exitCode = 3;`;
      writeFileSync(join(dir, 'program.mjs'), program);
      const { stdout, stderr, status } = spawnSync(process.execPath, [join(dir, 'program.mjs')], { encoding: 'utf8', timeout: 60_000 });
      assert.deepEqual([stdout, stderr, status], ['10', '', 3]);
    });
  });
});
