import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { roundArithmetic } from '../../../src/protocol/federation/round-mechanism.js';
import { scaleOf } from '../../../src/protocol/secagg/fixed-point.js';
import { CoordinatorRig, testManifest } from '../../support/coordinator-rig.js';

const DIMENSION = 64;

/**
 * An update whose values are whole numbers in fixed point too, so that nothing is rounded and its
 * bytes are known.
 */
const update = (at: number, scale: number): Float32Array =>
  Float32Array.from({ length: DIMENSION }, (_, i) => Math.fround((1_000_003 * 2 ** at + 7919 * i) / scale));

/**
 * Eight bytes of a member's update, as float32 and as ring elements: a run that chance does not
 * bring about.
 */
function patterns(at: number, scale: number): Buffer[] {
  const values = update(at, scale);
  const rounded = [0, 1].map((up) => Uint32Array.from(values, (value) => (Math.floor(value * scale) + up) >>> 0));
  const wholes = Uint32Array.from(values, (value) => Math.round(value * scale) >>> 0);
  return [values, wholes, ...rounded].flatMap((array) => {
    const bytes = Buffer.from(array.buffer);
    return Array.from({ length: DIMENSION - 1 }, (_, i) => bytes.subarray(4 * i, 4 * i + 8));
  });
}

/** The store's file and its log, at every write and commit of a run. */
async function storedBytes(secureAggregation: object | null): Promise<{ readonly found: Set<number>; readonly looks: number }> {
  const manifest = testManifest({ rounds: { count: 1 }, evaluation: null, secureAggregation }, 3, DIMENSION);
  const arithmetic = roundArithmetic(testManifest({ rounds: { count: 1 }, evaluation: null }, 3, DIMENSION).manifest, 'train', {
    cohort: 3,
    clipNorm: null,
  });
  assert.ok(arithmetic.kind === 'fixed');
  const scale = scaleOf(arithmetic.fixedPoint);
  const found = new Set<number>();
  let looks = 0;
  const rig = CoordinatorRig.bare({ manifest, payloadOf: (_, at) => () => update(at, scale) });
  const look = (): void => {
    looks += 1;
    for (const path of [rig.path, `${rig.path}-wal`]) {
      if (!existsSync(path)) continue;
      const bytes = readFileSync(path);
      for (let at = 0; at < 3; at++) if (!found.has(at) && patterns(at, scale).some((pattern) => bytes.includes(pattern))) found.add(at);
    }
  };
  await rig.open();
  rig.onWrite = (name) => {
    if (name === 'after commit') look();
  };
  await rig.found();
  const report = await rig.play();
  assert.equal(report.released, 1);
  const version = await rig.version(1);
  for (const [i, value] of version.entries()) {
    const mean = (update(0, scale)[i]! + update(1, scale)[i]! + update(2, scale)[i]!) / 3;
    assert.ok(Math.abs(value - mean) < 1e-6, `${i}: ${value}, not ${mean}`);
  }
  await rig.close();
  return { found, looks };
}

describe("a coordinator's stored bytes", () => {
  it("contain no member's update, in any form, after any commit of a round with secure aggregation", async () => {
    const { found, looks } = await storedBytes({});
    assert.ok(looks > 15, `${looks} looks`);
    assert.deepEqual([...found], []);
  });

  it('would be found to contain them without it', async () => {
    const { found } = await storedBytes(null);
    assert.deepEqual([...found].sort(), [0, 1, 2]);
  });
});
