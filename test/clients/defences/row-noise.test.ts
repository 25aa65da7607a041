/** Row noise: its law, and that it is frozen. */
import assert from 'node:assert/strict';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { rowNoise } from '../../../clients/typescript/defences/row-noise.js';

const WIDTH = 48;
const SECRET = NoiseSecret.parse('0123456789abcdef'.repeat(4), 'test');

/** The noise on the last rows of a text whose rows are zeros. */
function noiseOf(tokens: readonly number[], { secret = SECRET, count = tokens.length, record = '', scale = 2, width = WIDTH } = {}) {
  const rows = new Float32Array(count * width);
  assert.equal(rowNoise({ scale, deviation: 0.5, secret }).apply({ rows, hiddenSize: width, tokens, record }), undefined);
  return rows;
}

describe('row noise', () => {
  it('has the size that was asked for, every direction alike, and the lengths of metric privacy', () => {
    const count = 3000;
    const noise = noiseOf([...Array(count).keys()]);
    const [squares, sums] = [new Float64Array(WIDTH), new Float64Array(WIDTH)];
    const lengths = Array.from({ length: count }, (_, row) => {
      const part = noise.subarray(row * WIDTH, (row + 1) * WIDTH);
      part.forEach((value, i) => {
        squares[i]! += value * value;
        sums[i]! += value;
      });
      return Math.hypot(...part);
    });
    // Root mean square 2 x 0.5 = 1 in each coordinate, mean 0.
    for (let i = 0; i < WIDTH; i++) {
      assert.ok(Math.abs(squares[i]! / count - 1) < 0.15, `coordinate ${i}: ${squares[i]! / count}`);
      assert.ok(Math.abs(sums[i]! / count) < 0.09, `coordinate ${i}: ${sums[i]! / count}`);
    }
    // Gamma(d): the deviation of the length over its mean is 1/√d; a Gaussian's would be about 1/√2d.
    const mean = lengths.reduce((sum, length) => sum + length, 0) / count;
    const deviation = Math.sqrt(lengths.reduce((sum, length) => sum + (length - mean) ** 2, 0) / count);
    assert.ok(Math.abs((deviation / mean) * Math.sqrt(WIDTH) - 1) < 0.06, `${deviation / mean}`);
  });

  it('takes an odd width', () => {
    const noise = noiseOf([1, 2], { width: 7 });
    assert.ok(noise.every((value) => Number.isFinite(value) && value !== 0));
  });

  it('is the same for the same beginning of a text, in one piece or row by row, and other for any other', () => {
    const whole = noiseOf([7, 7, 3, 9]);
    assert.deepEqual(noiseOf([7, 7, 3, 9]), whole);
    for (let end = 1; end <= 4; end++)
      assert.deepEqual(noiseOf([7, 7, 3, 9].slice(0, end), { count: 1 }), whole.slice((end - 1) * WIDTH, end * WIDTH));
    const rowOf = (tokens: readonly number[], options = {}) => noiseOf(tokens, { ...options, count: 1 }).join();
    const rows = [[7], [7, 7], [8, 7], [7, 7, 7], [0x01000007]].map((tokens) => rowOf(tokens));
    rows.push(rowOf([7], { record: 'other' }), rowOf([7], { secret: NoiseSecret.fresh() }));
    assert.equal(new Set(rows).size, rows.length);
  });

  it('leaves an average over repeats as noisy as one row; drawn anew each time, it does not', () => {
    const averaged = (secretOf: () => NoiseSecret) => {
      const sum = new Float64Array(8 * WIDTH);
      for (let send = 0; send < 64; send++)
        noiseOf([1, 2, 3, 4, 5, 6, 7, 8], { secret: secretOf() }).forEach((value, i) => {
          sum[i]! += value / 64;
        });
      return Math.hypot(...sum) / Math.sqrt(sum.length);
    };
    const frozen = averaged(() => SECRET);
    assert.ok(frozen > 0.8 && frozen < 1.2, `frozen: ${frozen}`);
    const drawnAnew = averaged(() => NoiseSecret.fresh());
    assert.ok(drawnAnew < 0.2, `drawn anew: ${drawnAnew}`);
  });

  it('refuses a scale that is none, and a secret that is none', () => {
    for (const scale of [0, -1, Number.NaN])
      assert.throws(() => rowNoise({ scale, deviation: 1, secret: SECRET }), { code: 'INVALID_ARGUMENT', message: /scale above 0/ });
    assert.throws(() => NoiseSecret.parse('secret', 'a file'), { code: 'INVALID_OPTION', message: /a file: expected 64 hexadecimal/ });
    assert.equal(NoiseSecret.parse(`${SECRET.text().toUpperCase()}\n`, 'a file').text(), SECRET.text());
  });
});
