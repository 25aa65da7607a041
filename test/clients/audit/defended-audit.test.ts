/** An inverter that learns, and an audit of defended rows. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Discriminant } from '../../../clients/typescript/audit/discriminant.js';
import { type Example, loadExamples } from '../../../clients/typescript/data/examples.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { seeded } from '../../../src/tensor/random.js';
import { thorough } from '../../support/exhaustive.js';
import { writeNotes } from '../../support/training-data.js';
import { alone, values } from './audit-figures.js';
import { type AuditRig, auditRig } from './audit-rig.js';

const tokens = 'tokens recovered';

describe('an inverter that learns from other texts', () => {
  let rig: AuditRig;
  let others: readonly Example[];
  before(async () => {
    rig = await auditRig('llama-tiny', { bottom: 1 }, false);
    const file = join(rig.dir, 'others.jsonl');
    writeNotes(file, 24, 9);
    others = await loadExamples(file, rig.bundle.tokenizer, { maxLength: 56 });
  });
  after(() => rig.close());

  it('recovers most tokens behind a held block, and next to none from noise', async () => {
    const { attackers } = await rig.run('learned', { only: ['A2'], others, planted: 0 });
    assert.ok(values(attackers, 'A2', tokens)[0]! > 0.9, `${values(attackers, 'A2', tokens)}`);
    const { view, truth } = await rig.open('learned', { only: ['A2'], others, planted: 0 });
    const [blind] = values(await alone(view, truth, 'A2'), 'A2', tokens);
    assert.ok(blind! < 0.3, `${blind}`);
  });

  thorough('recovers fewer the more noise is on the rows, and without other texts it says why it does not run', async () => {
    const deviation = await rowDeviation(rig.bundle);
    const noisy = (scale: number): Defences => new Defences([rowNoise({ scale, deviation, secret: NoiseSecret.fresh() })]);
    const found: number[] = [];
    for (const scale of [0.1, 30]) {
      const defences = { defences: noisy(scale), twin: noisy(scale) };
      const { attackers, defences: told } = await rig.run(`noise ${scale}`, { only: ['A2'], others, planted: 0, ...defences });
      assert.deepEqual(told, [{ name: 'row-noise', settings: { scale } }]);
      found.push(values(attackers, 'A2', tokens)[0]!);
    }
    assert.ok(found[0]! > 0.85 && found[1]! < 0.4, `${found}`);
    const [none] = (await rig.run('none', { only: ['A2'], others: [], planted: 0 })).attackers;
    assert.match(none!.skipped!, /no records beside the audited ones/);
  });
});

describe('a discriminant', () => {
  it('tells Gaussians with one covariance apart as Bayes does, and prefers the frequent one in between', async () => {
    const random = seeded(3);
    // Much noise along (1, 1), little across it: the means differ across it.
    const draw = (mean: readonly number[]): Float32Array => {
      const [along, across] = [3 * random.normal(), 0.3 * random.normal()];
      return Float32Array.of(mean[0]! + along + across, mean[1]! + along - across);
    };
    const means = [
      [0, 0],
      [2, -2],
      [-2, 2],
    ];
    const learned = new Discriminant(4, 2);
    for (let at = 0; at < 3000; at++) learned.add(at % 3, draw(means[at % 3]!));
    const classifier = await learned.fit(Float64Array.of(0, 0, -2, 5));
    let right = 0;
    for (let at = 0; at < 3000; at++) if (classifier.tokenOf(draw(means[at % 3]!)) === at % 3) right++;
    assert.ok(right > 2980, `${right}`);
    // Half-way between tokens 0 and 2, of which 0 is likelier; token 3 was never seen.
    assert.equal(classifier.tokenOf(Float32Array.of(-1, 1)), 0);
    assert.equal(classifier.tokenOf(Float32Array.of(-1.2, 1.2)), 2);
    assert.deepEqual(
      classifier.likeliest(Float32Array.of(-1.2, 1.2), 2).map(({ token }) => token),
      [2, 0],
    );
  });
});
