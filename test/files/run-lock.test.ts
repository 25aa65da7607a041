/** One run at a time in a directory. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type ProcessLock, tryLock } from '../../src/files/process-lock.js';
import { lockRun } from '../../src/files/run-lock.js';

describe("the lock of a run's directory", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-lock-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const lockOf = (holder: object) =>
    writeFile(join(dir, 'run.lock'), JSON.stringify({ id: 'x', since: 'then', processStart: '', ...holder }));

  it('refuses a second run, naming the process of the first, and is free again after it', async () => {
    const first = await lockRun(dir);
    await assert.rejects(lockRun(dir), { code: 'ALREADY_EXISTS', message: new RegExp(`process ${process.pid} .*choose another --out`) });
    await first.release();
    await first.release();
    const second = await lockRun(dir);
    assert.deepEqual(await readdir(dir), ['run.lock']);
    await second.release();
    assert.deepEqual(await readdir(dir), []);
  });

  it("names the caller's flag and activity, and leaves the directory's name as it is", async () => {
    const purpose = { flag: '--state-dir', activity: 'taking part in a federation here' };
    const named = join(dir, 'writing a run here --out');
    const lock = await lockRun(named, purpose);
    await assert.rejects(lockRun(named, purpose), ({ message }: Error) => {
      assert.ok(message.startsWith(`${named}: process ${process.pid} `), message);
      assert.match(message, /has been taking part in a federation here since .*, or choose another --state-dir$/);
      return true;
    });
    await lock.release();
  });

  it('says what is wrong where no directory can be made', async () => {
    const file = join(dir, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'run')]) {
      await assert.rejects(lockRun(path), {
        code: 'IO_ERROR',
        message: /file.*: cannot be made a directory \(a file is in the way\); choose another --out/,
      });
    }
  });

  it('is taken over from a process that has died', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await lockOf({ pid: child.pid, host: hostname() });
    const lock = await lockRun(dir);
    assert.equal((JSON.parse(await readFile(join(dir, 'run.lock'), 'utf8')) as { pid: number }).pid, process.pid);
    await lock.release();
  });

  it('is taken over when another process has got the number of the dead one', async function () {
    if (process.platform !== 'linux') this.skip();
    await lockOf({ pid: process.pid, host: hostname(), processStart: '1' });
    await (await lockRun(dir)).release();
  });

  it('is taken over when it is half a file', async () => {
    await writeFile(join(dir, 'run.lock'), '{"id": "');
    await (await lockRun(dir)).release();
  });

  it('of another machine is not judged, and the message says what to do', async () => {
    await lockOf({ pid: 1, host: 'elsewhere.example' });
    await assert.rejects(lockRun(dir), { code: 'ALREADY_EXISTS', message: /elsewhere\.example.*cannot be told.*delete .*run\.lock/ });
  });

  it('goes to one of many that find a dead one at the same time', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await lockOf({ pid: child.pid, host: hostname() });
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockRun(dir)));
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    assert.deepEqual(await readdir(dir), ['run.lock']);
  });

  it('has one holder at a time, however many take and give it back, and begin with a dead one', async () => {
    const path = join(dir, 'run.lock');
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await lockOf({ pid: child.pid, host: hostname() });
    let [held, turns, over] = [0, 0, false];
    // Without a pause between tries.
    const taken = async (at: string): Promise<ProcessLock> => {
      while (!over) {
        const found = await tryLock(at);
        if (found !== undefined && 'release' in found) return found;
      }
      throw new Error('another turn failed');
    };
    const take = async (): Promise<void> => {
      for (let turn = 0; turn < 6; turn++) {
        const lock = await taken(path);
        assert.equal(++held, 1);
        await setImmediate();
        assert.equal(held--, 1);
        turns++;
        await lock.release();
      }
    };
    await Promise.all(Array.from({ length: 6 }, take)).finally(() => {
      over = true;
    });
    assert.equal(turns, 36);
    assert.deepEqual(await readdir(dir), []);
  });
});
