/**
 * Shamir's secret sharing (1979) over GF(2^8), a polynomial for each byte: `threshold` shares give the secret, one fewer is consistent with every secret. Holder i of
 * 1 … 255 has the values at x = i. Wrong shares are not noticed here; the protocol checks every secret it reconstructs against a public commitment.
 */
import { CutlayerError } from '../errors.js';
import { invert, multiply } from './field.js';
import type { RandomBytes } from './random.js';

/** The most holders that a secret can have: the field's elements but 0. */
export const MAX_HOLDERS = 255;

/** A share and its x-coordinate, 1 … 255. */
export interface SharePoint {
  readonly x: number;
  readonly share: Uint8Array;
}

/**
 * Splits a secret among holders 1 … `holders`.
 *
 * @returns one share for each holder in turn, each as long as the secret
 * @throws CutlayerError INVALID_ARGUMENT unless 1 <= threshold <= holders <= 255
 */
export function splitSecret(secret: Uint8Array, threshold: number, holders: number, random: RandomBytes): Uint8Array[] {
  if (!Number.isInteger(threshold) || !Number.isInteger(holders) || threshold < 1 || threshold > holders || holders > MAX_HOLDERS)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `secret sharing: expected 1 <= threshold <= holders <= ${MAX_HOLDERS}, got ${threshold} of ${holders}`,
    );
  // Highest power first; the secret is the constant term.
  const coefficients = Array.from({ length: threshold - 1 }, () => random(secret.length));
  return Array.from({ length: holders }, (_, holder) => {
    const share = new Uint8Array(secret.length);
    for (const coefficient of [...coefficients, secret])
      for (let i = 0; i < share.length; i++) share[i] = multiply(share[i]!, holder + 1) ^ coefficient[i]!; // Horner
    return share;
  });
}

/**
 * The value at x = 0 of the polynomial through the given points: the secret, when they are at least as many as the threshold and all right.
 *
 * @throws CutlayerError INVALID_ARGUMENT for no points, an x that is repeated or outside 1 … 255, or shares of different lengths
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
