/** Attacks with time: silent streams, answers that are never read, a peer that reads nothing at shutdown. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { type AbusedServer, checkHealth, paths, startAbusedCoordinator, startAbusedGateway } from '../../support/abused-server.js';
import { exhaustive, thorough } from '../../support/exhaustive.js';
import type { RawCall } from '../../support/raw-grpc.js';

const ofRole = {
  gateway: { start: startAbusedGateway, path: paths.getModel, answered: 0 },
  coordinator: { start: startAbusedCoordinator, path: paths.submit, answered: 3 },
} as const;

/** Both servers are made of the same parts; `npm test` attacks one. */
const roles = exhaustive ? (['gateway', 'coordinator'] as const) : (['gateway'] as const);

for (const role of roles) {
  const { start, path, answered } = ofRole[role];
  describe(`${role}: calls that do not end by themselves`, () => {
    let server: AbusedServer;
    before(async () => {
      server = await start('--max-deadline', '3');
      await checkHealth(server);
    });
    after(() => server.stop());

    it('lets others in beside as many silent streams as one token may open', async () => {
      const silent = { ...(await server.honest('silent')), 'grpc-timeout': '99999999S' };
      const calls: RawCall[] = [];
      for (let at = 0; at < 4; at++) {
        const attacker = server.connect();
        for (let n = 0; n < 32; n++) calls.push(attacker.call(path, silent));
      }
      await delay(300);
      const { status, message } = await server.connect().send(path, Buffer.alloc(0), await server.honest('honest')).ended;
      assert.equal(status, answered, message);
      const ends = await Promise.race([Promise.all(calls.map(({ ended }) => ended)), delay(8000, undefined)]);
      assert.ok(ends !== undefined, 'silent streams are still open after the longest deadline');
      assert.deepEqual(new Set(ends.map(({ code }) => code)), new Set(['DEADLINE_EXCEEDED', 'QUEUE_FULL']));
    });

    it('ends a health check that sends nothing', async () => {
      const { ended } = server.connect().call(paths.check, { 'grpc-timeout': '99999999S' });
      const end = await Promise.race([ended, delay(8000, undefined)]);
      assert.equal(end?.code, 'DEADLINE_EXCEEDED');
    });

    it('answers an honest health check beside very many silent ones', async () => {
      for (let at = 0; at < 8; at++) {
        const attacker = server.connect();
        for (let n = 0; n < 100; n++) attacker.call(paths.check);
      }
      await delay(300);
      await checkHealth(server);
    });
  });
}

describe('gateway: answers that are never read', () => {
  let server: AbusedServer;
  before(async () => {
    server = await startAbusedGateway('--max-deadline', '3');
    await checkHealth(server);
  });
  after(() => server.stop());

  it('ends them at the deadline and takes calls again', async () => {
    const headers = { ...(await server.honest('acme')), 'grpc-timeout': '99999999S' };
    const attacker = server.connect({ window: 0 });
    const calls = Array.from({ length: 100 }, () => attacker.send(paths.getModel, Buffer.alloc(0), headers));
    const ends = await Promise.race([Promise.all(calls.map(({ ended }) => ended)), delay(8000, undefined)]);
    assert.ok(ends !== undefined, 'unread answers are still held after the longest deadline');
    const { status, message } = await server.connect().send(paths.getModel, Buffer.alloc(0), await server.honest('acme')).ended;
    assert.equal(status, 0, message);
  });
});

describe('shutdown beside a peer that reads nothing', () => {
  for (const role of roles) {
    thorough(`${role}: the process ends`, async () => {
      const { start, path } = ofRole[role];
      const server = await start('--grace', '1');
      try {
        const attacker = server.connect({ window: 0 });
        const headers = await server.honest('acme');
        for (let n = 0; n < 8; n++) attacker.send(path, Buffer.alloc(0), { ...headers, 'grpc-timeout': '600S' });
        attacker.call(path, headers);
        await delay(300);
        attacker.stopReading();
        process.kill(server.pid, 'SIGTERM');
        const gone = await goneWithin(server.pid, 20_000);
        assert.ok(gone, 'the process is still there 20 s after SIGTERM');
      } finally {
        await server.stop();
      }
    });
  }
});

/** Whether a process ends in time; a zombie has ended. */
async function goneWithin(pid: number, ms: number): Promise<boolean> {
  const { readFileSync } = await import('node:fs');
  for (const end = Date.now() + ms; Date.now() < end; await delay(50)) {
    try {
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return true;
    } catch {
      return true;
    }
  }
  return false;
}
