import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  assertNoWrap,
  type FixedPoint,
  fromRing,
  largestOf,
  scaleOf,
  stochasticRound,
  toRing,
} from '../../../src/protocol/secagg/fixed-point.js';
import { addInto } from '../../../src/protocol/secagg/ring.js';
import { seededRandom } from '../../support/secagg-table.js';

const settings = fc.record({
  bits: fc.integer({ min: 16, max: 32 }),
  bound: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
  parties: fc.integer({ min: 1, max: 100 }),
});

describe('fixed point', () => {
  it('uses the bits it is given: M = floor((2^(bits-1) - 1) / parties)', () => {
    assert.equal(largestOf({ bits: 16, parties: 10 }), 3276);
    assert.equal(largestOf({ bits: 32, parties: 32 }), 67_108_863);
    assert.equal(scaleOf({ bits: 16, parties: 10, bound: 2 }), 1638);
  });

  it('never wraps when every party is at its bound, whatever the rounding', () => {
    fc.assert(
      fc.property(settings, fc.integer(), fc.boolean(), (fixedPoint: FixedPoint, seed, negative) => {
        const scale = scaleOf(fixedPoint);
        const random = seededRandom(seed);
        const value = negative ? -fixedPoint.bound : fixedPoint.bound;
        const sum = new Uint32Array(1);
        let plain = 0;
        for (let party = 0; party < fixedPoint.parties; party++) {
          const [integer] = stochasticRound(Float64Array.of(value), scale, random);
          plain += integer!;
          addInto(sum, toRing(Int32Array.of(integer!), fixedPoint.bits), fixedPoint.bits);
        }
        assert.equal(fromRing(sum, fixedPoint.bits)[0], plain);
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('refuses settings whose sum could wrap by one', () => {
    assertNoWrap({ bits: 16, parties: 7, largest: 4681 }); // 7 · 4681 = 2^15 − 1
    assert.throws(() => assertNoWrap({ bits: 16, parties: 7, largest: 4682 }), {
      code: 'INVALID_CONFIG',
      message: /7 values of up to 4682 in 16 bits/,
    });
    assert.throws(() => scaleOf({ bits: 8, parties: 128, bound: 1 }), { code: 'INVALID_CONFIG', message: /128 values/ });
    assert.throws(() => scaleOf({ bits: 33, parties: 2, bound: 1 }), { code: 'INVALID_CONFIG', message: /bits/ });
    assert.throws(() => scaleOf({ bits: 16, parties: 2, bound: 0 }), {
      code: 'INVALID_CONFIG',
      message: /expected a finite number above 0, got 0/,
    });
    assert.throws(() => scaleOf({ bits: 16, parties: 2, bound: Number.NaN }), {
      code: 'INVALID_CONFIG',
      message: /expected a finite number above 0, got NaN/,
    });
    assert.throws(() => scaleOf({ bits: 16, parties: 2, bound: 5e-324 }), { code: 'INVALID_CONFIG', message: /leaves no scale/ });
    assert.throws(() => scaleOf({ bits: 16, parties: 30_000, bound: 1.7e308 }), { code: 'INVALID_CONFIG', message: /leaves no scale/ });
    assert.throws(() => scaleOf({ bits: 16, parties: 0, bound: 1 }), {
      code: 'INVALID_CONFIG',
      message: /parties: expected a whole number from 1, got 0/,
    });
  });

  it('rounds without bias: the mean of many roundings is the value', () => {
    for (const value of [0.25, -0.75, 3.5, -1e-3, 2]) {
      const count = 200_000;
      const rounded = stochasticRound(new Float64Array(count).fill(value), 1, seededRandom(value));
      const mean = rounded.reduce((sum, integer) => sum + integer, 0) / count;
      const fraction = value - Math.floor(value);
      const deviation = Math.sqrt((fraction * (1 - fraction)) / count);
      assert.ok(Math.abs(mean - value) <= 5 * deviation, `${value}: mean ${mean}`);
      assert.ok(rounded.every((integer) => integer === Math.floor(value) || integer === Math.ceil(value)));
    }
  });

  it('draws fresh randomness for each value', () => {
    const rounded = stochasticRound(new Float64Array(40_000).fill(0.5), 1, seededRandom(2));
    let changes = 0;
    for (let i = 1; i < rounded.length; i++) if (rounded[i] !== rounded[i - 1]) changes++;
    assert.ok(Math.abs(changes - 20_000) < 1000, `${changes} changes of 40,000`);
  });

  it('refuses values that are not finite or leave the ring', () => {
    assert.throws(() => stochasticRound(Float32Array.of(0, Number.NaN), 1), { code: 'NON_FINITE', message: /value 1/ });
    assert.throws(() => stochasticRound(Float32Array.of(1), 2 ** 31), { code: 'INVALID_ARGUMENT', message: /leaves 32 bits/ });
    assert.throws(() => toRing(Int32Array.of(128), 8), { code: 'INVALID_ARGUMENT', message: /within 127 for 8 bits/ });
  });

  it('brings every centred integer back from the ring', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 32 }), fc.array(fc.double({ min: -1, max: 1, noNaN: true })), (bits, fractions) => {
        const integers = Int32Array.from(fractions, (fraction) => Math.trunc(fraction * (2 ** (bits - 1) - 1)));
        assert.deepEqual(fromRing(toRing(integers, bits), bits), integers);
      }),
      { seed: 12 },
    );
  });

  it('adds in the ring as integers do modulo 2^bits', () => {
    const sum = Uint32Array.of(250, 3);
    addInto(sum, Uint32Array.of(10, 4), 8);
    assert.deepEqual([...sum], [4, 7]);
    const whole = Uint32Array.of(0xffffffff);
    addInto(whole, Uint32Array.of(0xffffffff), 32);
    assert.deepEqual([...whole], [0xfffffffe]);
    assert.throws(() => addInto(sum, new Uint32Array(3), 8), { code: 'INVALID_SHAPE' });
  });
});
