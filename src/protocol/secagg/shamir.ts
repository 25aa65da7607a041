/**
 * Shamir's secret sharing (1979) over GF(2^8), a polynomial for each byte: `threshold` shares give
 * the secret, one fewer is consistent with every secret. Holder i of 1 … 255 has the values at x =
 * i. Wrong shares are not noticed here; the protocol checks every secret it reconstructs against a
 * public commitment.
 */
import { CutlayerError } from '../../errors.js';
import type { RandomBytes } from '../../privacy/random.js';
import { invert, multiply } from './field.js';

/** The most holders that a secret can have: the field's elements but 0. */
export const MAX_HOLDERS = 255;

/** A share and its x-coordinate, 1 … 255. */
export interface SharePoint {
  readonly x: number;
  readonly share: Uint8Array;
}

/** The polynomials of a split secret, whose values are the shares; as secret as the secret. */
export interface SplitSecret {
  /** Of a share, in bytes. */
  readonly length: number;
  /** Highest power first, the secret last. Each is filled up with zeros to whole words. */
  readonly coefficients: readonly Uint32Array[];
}

/**
 * Splits a secret among holders 1 … `holders`.
 * @returns one share for each holder in turn, each as long as the secret
 * @throws CutlayerError INVALID_ARGUMENT unless 1 <= threshold <= holders <= 255
 */
export function splitSecret(secret: Uint8Array, threshold: number, holders: number, random: RandomBytes): Uint8Array[] {
  const split = drawPolynomials(secret, threshold, holders, random);
  return Array.from({ length: holders }, (_, holder) => shareAt(split, holder + 1));
}

/**
 * Draws what {@link splitSecret} evaluates, for single shares.
 * @throws CutlayerError INVALID_ARGUMENT unless 1 <= threshold <= holders <= 255
 */
export function drawPolynomials(secret: Uint8Array, threshold: number, holders: number, random: RandomBytes): SplitSecret {
  if (!Number.isInteger(threshold) || !Number.isInteger(holders) || threshold < 1 || threshold > holders || holders > MAX_HOLDERS)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `secret sharing: expected 1 <= threshold <= holders <= ${MAX_HOLDERS}, got ${threshold} of ${holders}`,
    );
  const drawn = Array.from({ length: threshold - 1 }, () => random(secret.length));
  return { length: secret.length, coefficients: [...drawn, secret].map(wholeWords) };
}

/** The share of the holder at `x`, 1 … 255. */
export function shareAt({ length, coefficients }: SplitSecret, x: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (const coefficient of coefficients) for (let i = 0; i < words.length; i++) words[i] = multiply(words[i]!, x) ^ coefficient[i]!; // Horner
  return new Uint8Array(words.buffer).slice(0, length);
}

function wholeWords(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/**
 * The value at x = 0 of the polynomial through the given points: the secret, if at least
 * `threshold` points are given and all are right.
 * @throws CutlayerError INVALID_ARGUMENT for no points, an x that is repeated or outside 1 … 255,
 *   or shares of different lengths
 */
export function reconstructSecret(points: readonly SharePoint[]): Uint8Array {
  const length = points[0]?.share.length ?? 0;
  const xs = points.map(({ x }) => x);
  const sound = xs.every((x) => Number.isInteger(x) && x >= 1 && x <= MAX_HOLDERS) && new Set(xs).size === xs.length;
  if (points.length === 0 || !sound || points.some(({ share }) => share.length !== length))
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'secret sharing: expected at least one point, x within 1 … 255 and distinct, shares of one length',
    );
  const secret = new Uint8Array(length);
  for (const { x, share } of points) {
    // Lagrange at 0: Π x_j / (x_j − x)
    let above = 1;
    let below = 1;
    for (const other of xs) {
      if (other === x) continue;
      above = multiply(above, other);
      below = multiply(below, other ^ x);
    }
    const weight = multiply(above, invert(below));
    for (let i = 0; i < length; i++) secret[i]! ^= multiply(share[i]!, weight);
  }
  return secret;
}
