/** What a defence claims holds while it is on, and not where its stage or its noise is off. */
import assert from 'node:assert/strict';
import type { VendorView } from '../../../clients/typescript/audit/attacker.js';
import { type AttackResult, runSuite } from '../../../clients/typescript/audit/suite.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { padLengths } from '../../../clients/typescript/defences/pad-lengths.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';
import { tokenNoise } from '../../../clients/typescript/defences/token-noise.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { values } from './audit-figures.js';
import { type AuditRig, auditRig } from './audit-rig.js';

const tokens = 'tokens recovered';

describe('an audit with a defence on, and off', () => {
  let rig: AuditRig;
  let deviation: number;
  before(async () => {
    rig = await auditRig('llama-tiny', {}, false);
    deviation = await rowDeviation(rig.bundle);
  });
  after(() => rig.close());

  it('knows lengths of records without padding alone', async () => {
    const metrics = ['records whose number of tokens is known', 'records whose number of labels is known'];
    const found = async (name: string, defences?: Defences) =>
      (await rig.run(name, { only: ['A5'], planted: 0, ...(defences && { defences }) })).attackers;
    assert.deepEqual(values(await found('lengths'), 'A5', ...metrics), [1, 1]);
    const padded = await found('padded', new Defences([], padLengths([56])));
    assert.deepEqual(values(padded, 'A5', metrics[0]!, 'records that no other record looks like'), [0, 0]);
  });

  it('finds tokens without noise on them, and few under the noise of a small epsilon', async () => {
    const clipNorm = deviation * Math.sqrt(rig.bundle.dims.hiddenSize);
    const found = async (noiseMultiplier: number) => {
      const defences = new Defences([tokenNoise({ clipNorm, noiseMultiplier, secret: NoiseSecret.fresh() })]);
      return values((await rig.run(`tokens ${noiseMultiplier}`, { only: ['A0'], planted: 0, defences })).attackers, 'A0', tokens)[0]!;
    };
    assert.ok((await found(1e-4)) > 0.95);
    const few = await found(4);
    assert.ok(few < 0.2, `${few}`);
  });

  it('gains by averaging what is sent again only where noise is not frozen', async () => {
    const times = 12;
    const averaged = async (name: string, secretOf: () => NoiseSecret): Promise<readonly [once: number, mean: number]> => {
      const views: VendorView[] = [];
      let found: readonly AttackResult[] = [];
      for (let at = 0; at < times; at++) {
        const defences = new Defences([rowNoise({ scale: 3, deviation, secret: secretOf() })]);
        const { view, truth } = await rig.open(`${name} ${at}`, { only: ['A0'], planted: 0, defences });
        views.push(view);
        if (at > 0 && at < times - 1) continue;
        const mean: VendorView = {
          ...view,
          record: async (index) => ({ ...(await view.record(index)), rows: await meanRows(views, index) }),
        };
        found = [
          ...found,
          ...(await runSuite({ view: mean, truth, only: ['A0'], kept: (_, work) => work(), onProgress: () => undefined })),
        ];
      }
      return found.map((one) => values([one], 'A0', tokens)[0]!) as [number, number];
    };
    const secret = NoiseSecret.parse('4'.repeat(64), 'test');
    const [once, frozen] = await averaged('frozen', () => secret);
    assert.equal(frozen, once);
    const [alone, fresh] = await averaged('fresh', () => NoiseSecret.fresh());
    assert.ok(once < 0.6 && alone < 0.6 && fresh > 0.95, `${once}, ${alone}, ${fresh}`);
  });
});

async function meanRows(views: readonly VendorView[], index: number) {
  const all = await Promise.all(views.map(async (view) => (await view.record(index)).rows));
  const { shape, data } = all[0]!;
  return f32(
    shape,
    data.map((_, i) => all.reduce((sum, rows) => sum + rows.data[i]!, 0) / all.length),
  );
}
