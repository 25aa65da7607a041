/**
 * Masked cotangents: several are sent in place of one, and a secret sum of their answers is its
 * answer, since a vjp is linear.
 * @see Zmushko et al., arXiv:2412.16669 (P3EFT, the private backward)
 */
import { solve } from '../../clients/typescript/audit/linear-solve.js';
import { addFloats } from '../../src/tensor/floats.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';
import type { Random } from '../../src/tensor/random.js';

/** Cotangents of one record's rows, [N, d] each. */
export interface Masked {
  readonly sent: readonly Float32Array[];
  /** By these, what was sent sums up to the record's own cotangent. */
  readonly coefficients: Float64Array;
}

/** Larger ones would lose digits. */
const MOST_COEFFICIENT = 4;

/** Mixes a cotangent with others; without them it is sent as it is. */
export function masked(own: Float32Array, others: readonly Float32Array[], random: Random): Masked {
  if (others.length === 0) return { sent: [own], coefficients: Float64Array.of(1) };
  const sources = [own, ...others];
  const n = sources.length;
  for (;;) {
    const mixing = Float64Array.from({ length: n * n }, () => random.normal());
    const transposed = mixing.map((_, at) => mixing[(at % n) * n + Math.floor(at / n)]!);
    const coefficients = solve(transposed, new Float64Array(n).fill(1, 0, 1));
    if (coefficients?.every((value) => Math.abs(value) < MOST_COEFFICIENT) !== true) continue;
    const sent = Array.from({ length: n }, (_, at) => combined(sources, mixing.subarray(at * n, (at + 1) * n)));
    return { sent, coefficients };
  }
}

/** The sum of vectors by coefficients. */
export function combined(vectors: readonly Float32Array[], coefficients: ArrayLike<number>): Float32Array {
  const sum = new Float64Array(vectors[0]!.length);
  for (const [at, vector] of vectors.entries()) {
    const factor = coefficients[at]!;
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + factor * vector[i]!;
  }
  return Float32Array.from(sum);
}

/** Noise whose rows [d] are as long as a cotangent's. */
export function noiseLike(own: Float32Array, d: number, random: Random): Float32Array {
  const noise = new Float32Array(own.length);
  for (let at = 0; at < own.length; at += d) {
    const row = Float32Array.from({ length: d }, () => random.normal());
    const scale = l2Norm([own.subarray(at, at + d)]) / l2Norm([row]);
    addFloats(
      noise.subarray(at, at + d),
      row.map((value) => scale * value),
    );
  }
  return noise;
}
