import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FederationReport } from '../../src/coordinator/coordinator-api.js';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';
import { depth, thorough } from '../support/exhaustive.js';
import { KilledCoordinator } from '../support/killed-coordinator.js';
import { storeEngines } from '../support/store-engines.js';

/** What a run has led to. */
interface Result {
  readonly report: FederationReport;
  readonly parameters: Float32Array;
}

async function uninterrupted(settings: object): Promise<Result & { readonly writes: number }> {
  let writes = 0;
  const rig = CoordinatorRig.bare({ manifest: testManifest(settings) });
  await rig.open();
  rig.onWrite = () => {
    writes += 1;
  };
  await rig.found();
  const report = await rig.play();
  const result = { report, parameters: await rig.version(report.versions.at(-1)!.version), writes };
  await rig.close();
  return result;
}

/**
 * In every `stride`-th transaction it dies at every write once: first at its first write, then at
 * the second, …, and when it is committed but not answered.
 */
async function crashedEverywhere(settings: object, stride: number, target: string): Promise<Result & { readonly crashes: number }> {
  let crashes = 0;
  let passed = 0;
  let allowed = 0;
  let commits = 0;
  let dead = false;
  const rig = CoordinatorRig.bare({ manifest: testManifest(settings), target });
  const onWrite = (name: string): void => {
    const committed = name === 'after commit';
    const spared = commits % stride !== 0;
    if (!dead && (spared || passed < allowed)) {
      if (!spared) passed += 1;
      else if (committed) commits += 1;
      return;
    }
    if (!dead) allowed = committed ? 0 : allowed + 1;
    if (!dead && committed) commits += 1;
    dead = true;
    throw new Error(`crash at ${name}`);
  };
  const restart = async (): Promise<void> => {
    for (;;) {
      if (dead) {
        crashes += 1;
        await rig.coordinator.close();
      }
      passed = 0;
      // The schema is the store's own to keep whole; a transaction that was cut off is gone whether
      // or not the file is opened again.
      rig.onWrite = undefined;
      if (crashes % 10 === 0) {
        if (dead) await rig.database.close();
        await rig.open();
      } else await rig.openCoordinator();
      dead = false;
      rig.onWrite = onWrite;
      await rig.found().catch(() => {});
      if (!dead) return;
    }
  };
  await restart();
  let report = await rig.report();
  for (let turn = 0; turn < 5000 && report.state !== 'finished'; turn++) {
    for (const member of rig.members) {
      for (;;) {
        await member.step(rig.api(member.name)).catch(() => {});
        if (!dead) break;
        await restart();
      }
    }
    for (let i = 0; i < 5; i++) await nextTurn();
    if (!dead) await rig.moveTime(report);
    for (let i = 0; i < 5; i++) await nextTurn();
    if (dead) await restart();
    report = await rig.report();
  }
  const result = { report, parameters: await rig.version(report.versions.at(-1)!.version), crashes };
  await rig.close();
  return result;
}

describe('a coordinator that is killed', () => {
  const base = { rounds: { count: 1 } };
  const cases = {
    'with secure aggregation': base,
    'without it, weighted by examples': { ...base, secureAggregation: null, weights: { kind: 'examples', maxExamples: 25 } },
    'with differential privacy': {
      ...base,
      evaluation: null,
      privacy: { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 1 }, delta: 1e-5, maxEpsilon: 100 },
    },
  };

  const stride = depth(1, 5);
  for (const engine of storeEngines) {
    for (const [name, settings] of Object.entries(cases)) {
      it(`ends in the same aggregate, to the bit, wherever it died, on ${engine.name}: ${name}`, async function () {
        this.timeout(360_000);
        const place = engine.place();
        const whole = await uninterrupted(settings);
        const crashed = await crashedEverywhere(settings, stride, place.target);
        assert.ok(
          crashed.crashes >= whole.writes / (stride === 1 ? 1 : 2 * stride),
          `${crashed.crashes} crashes at ${whole.writes} writes`,
        );
        assert.deepEqual(crashed.parameters, whole.parameters);
        assert.equal(crashed.report.released, 1);
        assert.equal(crashed.report.aborted, 0);
        const judged = (result: Result) =>
          result.report.versions.map(({ version, status, digest, current }) => ({ version, status, digest, current }));
        assert.deepEqual(judged(crashed), judged(whole));
        assert.deepEqual(crashed.report.privacy, whole.report.privacy);
        assert.equal(crashed.report.broadcasts, whole.report.broadcasts);
        await place.remove();
      });
    }
  }

  thorough('the same with SIGKILL to a process of its own, at writes of every stage', async function () {
    this.timeout(360_000);
    const settings = { rounds: { count: 1 }, evaluation: null };
    const kills = depth(5, 2);
    const whole = await uninterrupted(settings);
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-killed-'));
    const { members } = CoordinatorRig.bare({ manifest: testManifest(settings) });
    const coordinator = new KilledCoordinator(join(dir, 'store.db'), settings);
    // Each life ends a few writes later than the last one began: in the exhaustive run about every
    // seventh write of the whole run is the last of one.
    const lives = Array.from({ length: kills }, (_, life) => 3 + depth(7, 17) * life);
    try {
      let report: FederationReport | undefined;
      for (let turn = 0; turn < 2000 && report?.state !== 'finished'; turn++) {
        if (!coordinator.alive && !(await coordinator.start(lives.shift() ?? -1))) continue;
        try {
          let moved = false;
          for (const member of members) {
            const { kind } = await member.step(coordinator.api(member.name));
            moved ||= kind !== 'wait' && kind !== 'finished';
          }
          report = await coordinator.call('report');
          if (!moved && report?.round === null) await coordinator.call('advance');
        } catch (caught) {
          if (coordinator.alive) throw caught;
        }
      }
      assert.equal(report!.released, 1);
      assert.equal(report!.aborted, 0);
      assert.equal(coordinator.kills, kills);
      assert.deepEqual(await coordinator.call('version', [1]), whole.parameters);
    } finally {
      await coordinator.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
