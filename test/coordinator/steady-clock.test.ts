/** A clock that jumps neither freezes a round nor ends one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openCoordinator } from '../../src/coordinator/coordinator.js';
import { transition, withNearDeadlines } from '../../src/coordinator/rounds/round-machine.js';
import { roundPolicy } from '../../src/coordinator/rounds/round-policy.js';
import { newFederation } from '../../src/coordinator/rounds/round-state.js';
import { steadyClock } from '../../src/coordinator/steady-clock.js';
import { openDatabase } from '../../src/coordinator/tables/database.js';
import { coordinatorKey, founderKey, testManifest } from '../support/coordinator-rig.js';
import { anyOrder, giveOrder } from '../support/founder-orders.js';

const DAY_MS = 86_400_000;

describe('the clock of deadlines', () => {
  it('goes on without a jump of the machine’s clock, and tells the log of it once', () => {
    let [wall, monotonic] = [1_000_000, 50];
    const told: object[] = [];
    const now = steadyClock(
      () => wall,
      { warn: (fields) => told.push(fields) },
      () => monotonic,
    );
    assert.equal(now(), 1_000_000);
    [wall, monotonic] = [wall + 4000, monotonic + 1000];
    assert.equal(now(), 1_001_000);
    assert.deepEqual(told, []);
    wall -= DAY_MS;
    assert.equal(now(), 1_001_000);
    monotonic += 10;
    wall += 10;
    assert.equal(now(), 1_001_010);
    assert.deepEqual(told, [{ seconds: -86_397 }]);
  });

  it('ends a stage although the clock was set back by a day', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-clock-'));
    let offset = 0;
    const database = await openDatabase(join(dir, 'store.db'));
    const now = steadyClock(() => Date.now() + offset, { warn: () => {} });
    const coordinator = await openCoordinator({ database, signingKey: coordinatorKey, now });
    try {
      const manifest = testManifest({ rounds: { gatherSeconds: 1.5 } });
      await coordinator.create(manifest, new Float32Array(8));
      await giveOrder(coordinator, manifest.id, { kind: 'start' }, founderKey);
      offset = -DAY_MS;
      const aborted = async () => (await coordinator.status(manifest.id))[0]!.aborted;
      for (let at = 0; at < 100 && (await aborted()) === 0; at++) await pause(100);
      assert.ok((await aborted()) > 0);
    } finally {
      await coordinator.close();
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('brings stored deadlines near that a clock set back has left behind', () => {
    const policy = roundPolicy(testManifest({}).manifest);
    const state = { ...newFederation(null), notBefore: DAY_MS, trainedAt: DAY_MS };
    const near = withNearDeadlines(state, 1000, policy);
    assert.deepEqual([near.notBefore, near.trainedAt], [301_000, 1000]);
    const begun = transition(newFederation(null), { kind: 'start', order: anyOrder }, 0, policy).state;
    const { state: inRound } = transition(begun, { kind: 'begin', purpose: 'train', drawn: null, refusal: null }, 0, policy);
    const late = { ...inRound, round: { ...inRound.round!, deadline: DAY_MS } };
    const longest = Math.max(policy.gatherMs, policy.enlistMs, policy.trainMs, policy.stageMs);
    assert.equal(withNearDeadlines(late, 1000, policy).round!.deadline, 1000 + longest);
    assert.deepEqual(withNearDeadlines({ ...state, notBefore: 5, trainedAt: 5 }, 1000, policy).notBefore, 5);
  });
});
