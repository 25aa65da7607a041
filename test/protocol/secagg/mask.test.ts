import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { applyMask } from '../../../src/protocol/secagg/mask.js';
import { seededRandom } from '../../support/secagg-table.js';

describe('mask expansion', () => {
  const seed = Uint8Array.from(seededRandom('mask')(32));

  it('is the AES-256-CTR key stream in little-endian words cut to bits, over piece boundaries too', () => {
    const length = 2 * 16_384 + 17;
    const stream = createCipheriv('aes-256-ctr', seed, new Uint8Array(16)).update(new Uint8Array(4 * length));
    for (const bits of [8, 20, 32]) {
      const values = new Uint32Array(length);
      applyMask(values, seed, bits, 'add');
      for (const i of [0, 1, 16_383, 16_384, 32_768, length - 1])
        assert.equal(values[i], bits === 32 ? stream.readUInt32LE(4 * i) : stream.readUInt32LE(4 * i) % 2 ** bits);
    }
  });

  it('comes off again', () => {
    const values = Uint32Array.from({ length: 40_000 }, (_, i) => i % 4096);
    const masked = Uint32Array.from(values);
    applyMask(masked, seed, 12, 'add');
    assert.notDeepEqual(masked, values);
    applyMask(masked, seed, 12, 'subtract');
    assert.deepEqual(masked, values);
  });

  it('takes the whole 256 bits of the seed: each of them changes the mask', () => {
    const first = new Uint32Array(4);
    applyMask(first, seed, 32, 'add');
    for (let bit = 0; bit < 256; bit++) {
      const other = new Uint32Array(4);
      applyMask(other, seed.with(bit >> 3, seed[bit >> 3]! ^ (1 << (bit & 7))), 32, 'add');
      assert.notDeepEqual(other, first);
    }
    assert.throws(() => applyMask(first, seed.subarray(0, 4), 32, 'add'), {
      code: 'INVALID_ARGUMENT',
      message: /expected 32 bytes, got 4/,
    });
  });
});
