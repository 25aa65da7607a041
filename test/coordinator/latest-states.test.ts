/** An older copy of a coordinator's database is not served in silence. */
import assert from 'node:assert/strict';
import { copyFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { requireLatest } from '../../src/coordinator/latest-states.js';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';

const privacy = { noiseMultiplier: 1, clip: { kind: 'fixed', norm: 0.5 }, delta: 1e-5, maxEpsilon: 50 } as const;

describe('an older copy of the database', () => {
  let rig: CoordinatorRig;
  afterEach(() => rig.close().catch(() => undefined));

  const start = async (settings: object) => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ evaluation: null, ...settings }) });
  };
  /** Keeps a copy, plays on, and puts the copy back. */
  const putBack = async (until: Parameters<CoordinatorRig['play']>[0]): Promise<void> => {
    await rig.crash();
    copyFileSync(rig.path, `${rig.path}.copy`);
    await rig.open();
    await rig.play(until);
    await rig.crash();
    copyFileSync(`${rig.path}.copy`, rig.path);
  };

  it('is refused for its privacy, its round and its chain, with what to do', async () => {
    await start({ privacy });
    await rig.play(({ released }) => released === 1);
    await putBack(({ released }) => released === 3);
    await assert.rejects(rig.open(), {
      code: 'STORE_TOO_OLD',
      message:
        /the database is an older copy of itself: it ends with broadcast 2, round 2, epsilon 4\.\d+ after 1 releases, and has been at broadcast 6, round 4, epsilon [5-9]\.\d+ after 3 releases\. Put the newest database back\. If it is lost, the federation is over/,
    });
  });

  it('is refused although only privacy was spent since', async () => {
    await start({ privacy });
    await putBack(({ round }) => round?.stage === 'unmasking');
    await assert.rejects(rig.open(), { code: 'STORE_TOO_OLD', message: /after 1 releases/ });
  });

  it('is refused although only rounds were aborted since', async () => {
    await start({ rounds: { gatherSeconds: 10 } });
    await rig.crash();
    copyFileSync(rig.path, `${rig.path}.copy`);
    await rig.open();
    await rig.play(({ aborted }) => aborted === 2, []);
    await rig.crash();
    copyFileSync(`${rig.path}.copy`, rig.path);
    await assert.rejects(rig.open(), {
      code: 'STORE_TOO_OLD',
      message: /ends with broadcast 0, round 1, and has been at broadcast 0, round 2/,
    });
  });

  it('is refused when it has forgotten a federation', async () => {
    rig = CoordinatorRig.bare({ manifest: testManifest({}) });
    await rig.open();
    await rig.crash();
    copyFileSync(rig.path, `${rig.path}.copy`);
    await rig.open();
    await rig.found();
    await rig.crash();
    copyFileSync(`${rig.path}.copy`, rig.path);
    await assert.rejects(rig.open(), { code: 'STORE_TOO_OLD', message: /it does not have this federation/ });
  });

  it('with its latest state is noticed by a second file alone, which may begin later', async () => {
    await start({ privacy });
    const second = `${rig.path}.elsewhere`;
    await rig.play(({ released }) => released === 1);
    await rig.crash();
    for (const file of [rig.path, `${rig.path}.latest`]) copyFileSync(file, `${file}.copy`);
    rig.latestFile = second;
    await rig.open();
    assert.equal(statSync(second).mode & 0o777, 0o600);
    await rig.play(({ released }) => released === 2);
    await rig.crash();
    for (const file of [rig.path, `${rig.path}.latest`]) copyFileSync(`${file}.copy`, file);
    await assert.rejects(rig.open(), { code: 'STORE_TOO_OLD', message: /ends with broadcast 2, .* and has been at broadcast 4/ });
    await rig.database.close();
    rig.latestFile = undefined;
    await rig.open();
  });

  it('is noticed by its own file where the second one is older', async () => {
    await start({});
    rig.latestFile = `${rig.path}.elsewhere`;
    await putBack(({ released }) => released === 1);
    rmSync(rig.latestFile, { force: true });
    await assert.rejects(rig.open(), { code: 'STORE_TOO_OLD' });
  });

  it('is known by a private file; without the file the database is taken as it is, and a broken one is refused', async () => {
    await start({});
    await rig.play(({ released }) => released === 1);
    const file = `${rig.path}.latest`;
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await rig.crash();
    rmSync(file);
    await rig.open();
    assert.ok(statSync(file).size > 0);
    await rig.crash();
    writeFileSync(file, '{"format":1}');
    await assert.rejects(rig.open(), { code: 'STORE_CORRUPT', message: /newest state of each federation/ });
  });
});

describe('what is remembered of a federation', () => {
  const known = { seq: 3, hash: 'ab'.repeat(32), round: 2, spentRounds: 2, epsilon: 1.5 };

  it('is what the database has, or an earlier state of it', () => {
    requireLatest('f', known, known, known.hash);
    requireLatest('f', known, { ...known, seq: 4, round: 3, spentRounds: 3, epsilon: 2 }, known.hash);
    requireLatest('f', undefined, known, undefined);
  });

  for (const [what, less] of [
    ['broadcast', { seq: 2 }],
    ['round', { round: 1 }],
    ['release', { spentRounds: 1 }],
    ['epsilon', { epsilon: 1.4 }],
  ] as const) {
    it(`refuses a database whose newest ${what} is an earlier one`, () => {
      assert.throws(() => requireLatest('f', known, { ...known, ...less }, known.hash), {
        code: 'STORE_TOO_OLD',
        message: /and has been at/,
      });
    });
  }

  it('refuses a database whose newest broadcast is another than the one that was sent', () => {
    for (const hash of ['cd'.repeat(32), undefined])
      assert.throws(() => requireLatest('f', known, known, hash), { code: 'STORE_TOO_OLD', message: /its broadcast 3 is another than/ });
  });
});
