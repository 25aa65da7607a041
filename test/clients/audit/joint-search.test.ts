/** A search that puts together what other attackers use, and what it learns from other texts. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { AttackerId } from '../../../clients/typescript/audit/attacker.js';
import { RowLaw } from '../../../clients/typescript/audit/row-law.js';
import { TextPrior } from '../../../clients/typescript/audit/text-prior.js';
import { loadExamples } from '../../../clients/typescript/data/examples.js';
import { Defences, noDefences } from '../../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';
import { rowDeviation } from '../../../clients/typescript/model/row-deviation.js';
import { seeded } from '../../../src/tensor/random.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { depth, exhaustive, thorough } from '../../support/exhaustive.js';
import { writeNotes } from '../../support/training-data.js';
import { alone, values } from './audit-figures.js';
import { auditRig } from './audit-rig.js';

const tokens = 'tokens recovered';

describe('a search by rows, texts and cotangents together', () => {
  /** Shares of tokens behind a cut, under noise on the rows or none. */
  async function shares(bottom: number, scale: number, only: readonly AttackerId[]): Promise<readonly number[]> {
    const rig = await auditRig('llama-tiny', { bottom }, false);
    try {
      const file = join(rig.dir, 'others.jsonl');
      writeNotes(file, depth(24, 8), 9);
      const others = await loadExamples(file, rig.bundle.tokenizer, { maxLength: 56 });
      const deviation = await rowDeviation(rig.bundle);
      const noise = (byte: string): Defences =>
        scale === 0 ? noDefences : new Defences([rowNoise({ scale, deviation, secret: NoiseSecret.parse(byte.repeat(32), 'test') })]);
      const examples = rig.examples.slice(0, depth(4, 1));
      const options = { others, examples, planted: 0, defences: noise('01'), twin: noise('02'), only };
      const { attackers } = await rig.run('joint', options);
      const { view, truth } = await rig.open('joint', options);
      const [blind] = exhaustive ? values(await alone(view, truth, 'A4'), 'A4', tokens) : [0];
      assert.ok(blind! < 0.3, `${blind}`);
      return only.map((id) => values(attackers, id, tokens)[0]!);
    } finally {
      await rig.close();
    }
  }

  it('recovers more under noise than an inverter that learns', async () => {
    const [learned, joint] = await shares(1, 1.5, ['A2', 'A4']);
    assert.ok(joint! > 0.7 && joint! > learned! + 0.1, `${[learned, joint]}`);
  });

  for (const bottom of [0, 1]) {
    thorough(`recovers every token at k = ${bottom}`, async () => {
      assert.deepEqual(await shares(bottom, 0, ['A4']), [1]);
    });

    thorough(`recovers under noise as many as any attacker that uses one of them, at k = ${bottom}`, async () => {
      for (const scale of [0.5, 1, 1.5, 2]) {
        const found = await shares(bottom, scale, [bottom === 0 ? 'A0' : 'A1', 'A2', 'A4']);
        assert.equal(found[2], Math.max(...found), `${scale}: ${found}`);
      }
    });
  }
});

describe('a prior that is counted in texts', () => {
  it('mixes three orders as Witten and Bell do, and says what comes next', () => {
    const prior = new TextPrior(4, [
      [0, 1, 2],
      [0, 1, 2],
      [1, 3],
    ]);
    // Of 8 tokens 2 are a 2, of 4 kinds; after 1 two of three, of 2 kinds; after 0 1 all two.
    const one = (2 + 4 / 4) / (8 + 4);
    const two = (2 + 2 * one) / (3 + 2);
    assert.ok(Math.abs(Math.exp(prior.logProbability(2, [0, 1])) - (2 + two) / 3) < 1e-12);
    assert.ok(Math.abs(Math.exp(prior.logProbability(2, [])) - one) < 1e-12);
    assert.deepEqual([prior.likeliest([3, 1], 2), prior.likeliest([0, 1], 2)], [[2, 3], [2]]);
    const sum = [0, 1, 2, 3].reduce((total, token) => total + Math.exp(prior.logProbability(token, [3, 0])), 0);
    assert.ok(Math.abs(sum - 1) < 1e-12);
  });
});

describe('a law of rows', () => {
  it('learns gain, shift and deviation of each coordinate, and what it does not explain', () => {
    const random = seeded(6);
    const count = 4000;
    const exact = f32(
      [count, 2],
      Float32Array.from({ length: 2 * count }, () => random.normal()),
    );
    const sent = f32(
      exact.shape,
      exact.data.map((x, at) => (at % 2 === 0 ? 3 * x + 1 + 0.5 * random.normal() : x + 0.1 * random.normal())),
    );
    const law = new RowLaw([{ sent, exact }], 0);
    const apart = (a: number, b: number) => law.distance(Float32Array.of(7 + a, -1 + b), Float32Array.of(2, -1));
    assert.ok(Math.abs(apart(0.5, 0) - 1) < 0.1 && Math.abs(apart(0, 0.1) - 1) < 0.1 && apart(0, 0) < 0.2);
    assert.ok(law.explains(apart(0.5, 0.1)) && !law.explains(apart(2, 0)));
    assert.ok(law.logLikelihood(1) > law.logLikelihood(2));
  });
});
