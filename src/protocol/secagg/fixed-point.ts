/**
 * Real numbers as elements of the ring: value · scale, rounded at random without bias, modulo
 * 2^bits. Sums in the ring are exact, so the only error is the rounding's, below 1/scale a value
 * and zero on average.
 *
 * Why the sum cannot wrap: every party's integer q has
 * `|q| <= M = floor((2^(bits−1) − 1) / parties)`. The sum S of at most `parties` of them has
 * `|S| <= parties · M <= 2^(bits−1) − 1`. Centred residues modulo 2^bits tell all such S apart.
 * {@link assertNoWrap} checks the inequality for other M.
 */
import { CutlayerError } from '../../errors.js';
import { cryptoRandom, type RandomBytes } from '../../privacy/random.js';
import { ringMask } from './ring.js';

/** How a federation's numbers go into the ring. */
export interface FixedPoint {
  /** Of the ring: 8 to 32. */
  readonly bits: number;
  /** The largest |value| of one coordinate of one party. */
  readonly bound: number;
  /** The most parties whose values are added. */
  readonly parties: number;
}

/** Values rounded at a time: 128 KiB of random bytes. */
const PIECE = 16_384;

/** M = floor((2^(bits−1) − 1) / parties): the largest |integer| of one party. */
export function largestOf({ bits, parties }: Omit<FixedPoint, 'bound'>): number {
  return Math.floor((2 ** (bits - 1) - 1) / parties);
}

/**
 * Integers per unit: the largest scale with bound · scale <= {@link largestOf}, so that a value
 * within the bound stays within M however it is rounded.
 * @throws CutlayerError INVALID_CONFIG when the bits leave no integer to a party, or a setting is
 *   out of range
 */
export function scaleOf(fixedPoint: FixedPoint): number {
  const { bits, bound, parties } = fixedPoint;
  const largest = largestOf(fixedPoint);
  assertNoWrap({ bits, parties, largest });
  if (!(bound > 0 && Number.isFinite(bound)))
    throw new CutlayerError('INVALID_CONFIG', `fixed point: bound: expected a finite number above 0, got ${bound}`);
  let scale = largest / bound;
  if (!(scale >= 2 ** -1000 && Number.isFinite(scale)))
    throw new CutlayerError(
      'INVALID_CONFIG',
      `fixed point: a bound of ${bound} leaves no scale for ${bits} bits; choose one nearer to the values`,
    );
  while (bound * scale > largest) scale *= 1 - Number.EPSILON;
  return scale;
}

/**
 * Proves that the sum of `parties` integers of at most `largest` each cannot wrap: 1 <= largest and
 * parties · largest <= 2^(bits−1) − 1.
 * @throws CutlayerError INVALID_CONFIG when it could
 */
export function assertNoWrap({ bits, parties, largest }: Omit<FixedPoint, 'bound'> & { readonly largest: number }): void {
  if (!Number.isInteger(bits) || bits < 8 || bits > 32)
    throw new CutlayerError('INVALID_CONFIG', `fixed point: bits: expected a whole number from 8 to 32, got ${bits}`);
  if (!Number.isInteger(parties) || parties < 1)
    throw new CutlayerError('INVALID_CONFIG', `fixed point: parties: expected a whole number from 1, got ${parties}`);
  const limit = 2 ** (bits - 1) - 1;
  if (!Number.isInteger(largest) || largest < 1 || parties * largest > limit)
    throw new CutlayerError(
      'INVALID_CONFIG',
      `fixed point: the sum of ${parties} values of up to ${largest} in ${bits} bits is not certain to stay within ${limit}: take more bits or fewer parties`,
    );
}

/**
 * floor(value · scale) or one more, at random, so that the mean is value · scale (to 2^-53).
 * @returns integers of |q| <= ceil(|value| · scale)
 * @throws CutlayerError NON_FINITE, or INVALID_ARGUMENT when a product leaves the range of int32
 */
export function stochasticRound(values: Float32Array | Float64Array, scale: number, random: RandomBytes = cryptoRandom): Int32Array {
  const rounded = new Int32Array(values.length);
  for (let start = 0; start < values.length; start += PIECE) {
    const end = Math.min(start + PIECE, values.length);
    const bytes = random(8 * (end - start));
    const draws = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = start; i < end; i++) {
      const exact = values[i]! * scale;
      if (!Number.isFinite(exact)) throw new CutlayerError('NON_FINITE', `fixed point: value ${i} of the vector is not finite`);
      const below = Math.floor(exact);
      const at = 8 * (i - start);
      // 53 uniform bits as a fraction of one.
      const draw = ((draws.getUint32(at, true) >>> 11) * 2 ** 32 + draws.getUint32(at + 4, true)) * 2 ** -53;
      const integer = draw < exact - below ? below + 1 : below;
      if (integer > 0x7fffffff || integer < -0x80000000)
        throw new CutlayerError(
          'INVALID_ARGUMENT',
          `fixed point: value ${i} times the scale leaves 32 bits: bring the vector within the bound first`,
        );
      rounded[i] = integer;
    }
  }
  return rounded;
}

/** q mod 2^bits. @throws CutlayerError INVALID_ARGUMENT for |q| above 2^(bits−1) − 1 */
export function toRing(integers: Int32Array, bits: number): Uint32Array {
  const limit = 2 ** (bits - 1) - 1;
  const mask = ringMask(bits);
  const ring = new Uint32Array(integers.length);
  for (let i = 0; i < ring.length; i++) {
    const integer = integers[i]!;
    if (integer > limit || integer < -limit)
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `fixed point: expected integers within ${limit} for ${bits} bits, value ${i} is ${integer}`,
      );
    ring[i] = integer & mask;
  }
  return ring;
}

/** Ring elements as centred integers, −2^(bits−1) … 2^(bits−1) − 1. */
export function fromRing(ring: Uint32Array, bits: number): Int32Array {
  const unused = 32 - bits;
  const integers = new Int32Array(ring.length);
  for (let i = 0; i < ring.length; i++) integers[i] = (ring[i]! << unused) >> unused; // sign extension
  return integers;
}
