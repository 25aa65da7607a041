/** The Gaussian mechanism on embeddings: its clip, its noise, its vjp and its guarantee. */
import assert from 'node:assert/strict';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { tokenGuarantee } from '../../../clients/typescript/defences/token-guarantee.js';
import { tokenNoise } from '../../../clients/typescript/defences/token-noise.js';

const WIDTH = 16;
const secret = NoiseSecret.parse('a'.repeat(64), 'test');

/** Rows after the mechanism; the same tokens and record have the same noise. */
function released(rows: Float32Array, { clipNorm = 1, noise = 2, record = 'r', firstToken = 0 } = {}) {
  const out = rows.slice();
  const tokens = Array.from({ length: rows.length / WIDTH }, (_, at) => firstToken + at);
  const pullBack = tokenNoise({ clipNorm, noiseMultiplier: noise, secret }).apply({ rows: out, hiddenSize: WIDTH, tokens, record });
  return { out, pullBack: pullBack! };
}

const wave = (length: number, size: number, phase = 0) => Float32Array.from({ length }, (_, i) => size * Math.sin(i * 1.7 + phase));

describe('noise on tokens', () => {
  it('moves a row by at most twice the clip norm, whatever token stands there; without the clip it would not', () => {
    for (const size of [0.01, 1, 100]) {
      const [one, other] = [wave(WIDTH, size), wave(WIDTH, -size)];
      const [a, b] = [released(one).out, released(other).out];
      const moved = Math.hypot(...a.map((value, i) => value - b[i]!));
      assert.ok(moved <= 2 + 1e-5, `${size}: ${moved}`);
      const unclipped = Math.hypot(...one.map((value, i) => value - other[i]!));
      assert.equal(unclipped > 2.1, size > 0.5);
    }
  });

  it('has the deviation that the guarantee counts, in each coordinate', () => {
    for (const [noise, clipNorm] of [
      [2, 0.5],
      [9, 3],
      [0.25, 1],
    ] as const) {
      const { out } = released(new Float32Array(200 * WIDTH), { noise, clipNorm });
      const mean = out.reduce((sum, value) => sum + value, 0) / out.length;
      const deviation = Math.hypot(...out) / Math.sqrt(out.length) / (noise * clipNorm);
      assert.ok(Math.abs(deviation - 1) < 0.05 && Math.abs(mean) < 0.1 * noise * clipNorm, `${deviation}, ${mean}`);
    }
  });

  it('is one release of a record, and another for each other record, also of the same text', () => {
    const rows = wave(4 * WIDTH, 0.1);
    assert.deepEqual(released(rows).out, released(rows).out);
    const [mine, theirs] = [released(rows).out, released(rows, { record: 'other' }).out];
    assert.ok(mine.every((value, i) => value !== theirs[i]));
  });

  it('pulls cotangents back through the clip', () => {
    for (const size of [0.05, 5]) {
      const x = wave(WIDTH, size);
      const [direction, cotangent] = [wave(WIDTH, size, 2), wave(WIDTH, 1, 4)];
      const { pullBack } = released(x);
      const pulled = cotangent.slice();
      pullBack(pulled);
      const at = (by: number) => {
        const { out } = released(x.map((value, i) => value + by * direction[i]!));
        return out.reduce((sum, value, i) => sum + value * cotangent[i]!, 0);
      };
      const found = (at(0.01) - at(-0.01)) / 0.02;
      const expected = pulled.reduce((sum, value, i) => sum + value * direction[i]!, 0);
      assert.ok(Math.abs(found - expected) < 2e-3 * Math.max(1, Math.abs(expected)), `${size}: ${found}, pulled back ${expected}`);
      assert.equal(pulled.join() === cotangent.join(), size < 1);
    }
  });

  it('states token, epsilon and delta, for as many releases as there are', () => {
    // A known answer: multiplier 5 over the sensitivity, 50 releases, delta 1e-5.
    assert.equal(tokenGuarantee(10, 1e-5, 50), '(token, epsilon 7.088, delta 1e-5)');
    const epsilonOf = (text: string) => Number(/epsilon ([\d.]+)/.exec(text)![1]);
    assert.ok(epsilonOf(tokenGuarantee(1, 1e-5)) > epsilonOf(tokenGuarantee(2, 1e-5)));
    assert.equal(tokenGuarantee(0, 1e-5), '(token, no bound on epsilon, delta 1e-5)');
    assert.throws(() => tokenNoise({ clipNorm: 1, noiseMultiplier: 0, secret }), { code: 'INVALID_ARGUMENT' });
    assert.throws(
      () =>
        tokenNoise({ clipNorm: 0, noiseMultiplier: 1, secret }).apply({
          rows: new Float32Array(WIDTH),
          hiddenSize: WIDTH,
          tokens: [1],
          record: '',
        }),
      {
        code: 'INVALID_ARGUMENT',
        message: /clip norm/,
      },
    );
  });
});
