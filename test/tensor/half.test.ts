import assert from 'node:assert/strict';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../src/tensor/half.js';

/** An independent reading of binary16: by the formula of IEEE 754, in float64. */
function valueOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

const every = Uint16Array.from({ length: 1 << 16 }, (_, i) => i);

/** Narrows numbers one by one. */
function narrow(codec: (source: Float32Array, target: Uint16Array) => void, values: readonly number[]): number[] {
  const target = new Uint16Array(values.length);
  codec(Float32Array.from(values), target);
  return [...target];
}

describe('tensor/half', () => {
  it('widens each of the 65,536 binary16 patterns to its IEEE 754 value', () => {
    const wide = new Float32Array(every.length);
    f16ToF32(every, wide);
    every.forEach((bits, i) => {
      if (!Object.is(wide[i], valueOfHalf(bits))) assert.fail(`0x${bits.toString(16)}: ${wide[i]} is not ${valueOfHalf(bits)}`);
    });
  });

  it('narrows each widened pattern back to itself (NaNs to NaNs), in both formats', () => {
    for (const [widen, shrink, infinity] of [
      [f16ToF32, f32ToF16, 0x7c00],
      [bf16ToF32, f32ToBf16, 0x7f80],
    ] as const) {
      const wide = new Float32Array(every.length);
      const back = new Uint16Array(every.length);
      widen(every, wide);
      shrink(wide, back);
      every.forEach((bits, i) => {
        if ((bits & 0x7fff) > infinity) assert.ok((back[i]! & 0x7fff) > infinity);
        else assert.equal(back[i], bits);
      });
    }
  });

  it('rounds the midpoint between neighbouring binary16 values to the even one, and a hair off it to the nearer', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [valueOfHalf(bits), valueOfHalf(bits + 1)];
      const middle = (low + high) / 2; // has 12 significant bits: exact in float32
      const hair = middle * 2 ** -22;
      const even = bits % 2 === 0 ? bits : bits + 1;
      assert.deepEqual(narrow(f32ToF16, [middle, middle - hair, middle + hair, -middle]), [even, bits, bits + 1, even | 0x8000]);
    }
  });

  it('overflows binary16 to infinity from 65520 on, and not before', () => {
    assert.deepEqual(narrow(f32ToF16, [65504, 65519.99, 65520, 1e30, -1e30]), [0x7bff, 0x7bff, 0x7c00, 0x7c00, 0xfc00]);
  });

  it('rounds bfloat16 to nearest, ties to even, and overflows to infinity', () => {
    const ulp = 2 ** -7;
    const values = [1 + ulp / 2, 1 + (3 * ulp) / 2, 1 + ulp / 2 + 2 ** -20, 3.4028234e38, 1e-45];
    assert.deepEqual(narrow(f32ToBf16, values), [0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x0000]);
  });

  it('refuses a target that is too short', () => {
    assert.throws(() => f32ToF16(new Float32Array(3), new Uint16Array(2)), {
      code: 'INVALID_SHAPE',
      message: /hold 3 elements, it holds 2/,
    });
  });
});
