/**
 * IEEE 754 binary16 and bfloat16 as bits in a Uint16Array. Narrowing rounds to nearest, ties to
 * even; overflow becomes infinity and a NaN a quiet NaN, as in NumPy and torch. Widening is exact.
 */
import { CutlayerError } from '../errors.js';

let f16Table: Float32Array | undefined;

/** The value of every binary16 bit pattern: 256 KB, made on first use. */
function f16Values(): Float32Array {
  if (f16Table !== undefined) return f16Table;
  const bits = new Uint32Array(1 << 16);
  for (let half = 0; half < 1 << 16; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    if (exponent === 0x1f) bits[half] = sign | 0x7f800000 | (mantissa << 13);
    else if (exponent !== 0) bits[half] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    else if (mantissa === 0) bits[half] = sign;
    else {
      const shift = Math.clz32(mantissa) - 21; // brings the leading one to bit 10
      bits[half] = sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
    }
  }
  f16Table = new Float32Array(bits.buffer);
  return f16Table;
}

function checkRoom(name: string, source: ArrayLike<number>, target: ArrayLike<number>): void {
  if (target.length < source.length)
    throw new CutlayerError('INVALID_SHAPE', `${name}: the target must hold ${source.length} elements, it holds ${target.length}`);
}

/**
 * Widens binary16 bits into `target`, element by element.
 * @throws CutlayerError INVALID_SHAPE when `target` is shorter than `source`.
 */
export function f16ToF32(source: Uint16Array, target: Float32Array): void {
  checkRoom('f16ToF32', source, target);
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  const table = new Uint32Array(f16Values().buffer); // copied as bits, so that NaN payloads survive
  for (let i = 0; i < source.length; i++) bits[i] = table[source[i]!]!;
}

/**
 * Narrows to binary16 bits in `target`, element by element.
 * @throws CutlayerError INVALID_SHAPE when `target` is shorter than `source`.
 */
export function f32ToF16(source: Float32Array, target: Uint16Array): void {
  checkRoom('f32ToF16', source, target);
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const sign = (x >>> 16) & 0x8000;
    const abs = x & 0x7fffffff;
    if (abs >= 0x38800000 && abs < 0x47800000) {
      // normal: rebias the exponent by 127 - 15, round at bit 13; a carry may end in infinity
      target[i] = sign | ((abs - 0x38000000 + 0xfff + ((abs >>> 13) & 1)) >>> 13);
    } else if (abs < 0x38800000) target[i] = sign | subnormal(abs);
    else target[i] = sign | (abs > 0x7f800000 ? 0x7e00 : 0x7c00);
  }
}

/** The bits of a value below 2^-14, in units of 2^-24. */
function subnormal(abs: number): number {
  const exponent = abs >>> 23;
  if (exponent < 102) return 0; // below 2^-25
  const mantissa = (abs & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const units = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return units + (rest > half || (rest === half && (units & 1) === 1) ? 1 : 0);
}

/**
 * Widens bfloat16 bits into `target`, element by element.
 * @throws CutlayerError INVALID_SHAPE when `target` is shorter than `source`.
 */
export function bf16ToF32(source: Uint16Array, target: Float32Array): void {
  checkRoom('bf16ToF32', source, target);
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = source[i]! << 16;
}

/**
 * Narrows to bfloat16 bits in `target`, element by element.
 * @throws CutlayerError INVALID_SHAPE when `target` is shorter than `source`.
 */
export function f32ToBf16(source: Float32Array, target: Uint16Array): void {
  checkRoom('f32ToBf16', source, target);
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    const notANumber = (x & 0x7fffffff) > 0x7f800000;
    target[i] = notANumber ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
}
