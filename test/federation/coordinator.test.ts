import assert from 'node:assert/strict';
import { CoordinatorRig, testManifest } from '../support/coordinator-rig.js';

describe('coordinator', () => {
  let rig: CoordinatorRig | undefined;
  afterEach(async () => {
    await rig?.close();
    rig = undefined;
  });

  it('releases the mean of three masked updates, judges it, and finishes after the rounds that were asked for', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 2 } }) });
    const report = await rig.play();
    assert.equal(report.released, 2);
    assert.deepEqual(
      report.versions.map(({ status }) => status),
      ['superseded', 'superseded', 'promoted'],
    );
    const version = await rig.version(2);
    // Members add (1, 2, 3) · (i + 1) / 64 in each round: the mean is 2 (i + 1) / 64.
    version.forEach((value, i) => assert.ok(Math.abs(value - (4 * (i + 1)) / 64) < 1e-5, `${i}: ${value}`));
  });

  it('does the same without secure aggregation', async () => {
    rig = await CoordinatorRig.start({ manifest: testManifest({ rounds: { count: 2 }, secureAggregation: null }) });
    const report = await rig.play();
    assert.equal(report.released, 2);
    const version = await rig.version(2);
    version.forEach((value, i) => assert.ok(Math.abs(value - (4 * (i + 1)) / 64) < 1e-6, `${i}: ${value}`));
  });
});
