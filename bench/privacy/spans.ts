/** Spans of cotangents that were sent for a row. */
import { dot } from '../../clients/typescript/audit/dot.js';
import { l2Norm } from '../../src/tensor/l2-norm.js';

const ROUNDS = 12;

/** An orthonormal basis of a row's cotangents [d], of those of all rows [N, d]. */
export function basisOf(cotangents: readonly Float32Array[], row: number, d: number): readonly Float32Array[] {
  const basis: Float32Array[] = [];
  for (const values of cotangents) {
    const sent = values.subarray(row * d, (row + 1) * d);
    const rest = without(without(sent, basis), basis);
    const length = l2Norm([rest]);
    // What rounding leaves of one that the others have is no direction.
    if (length > 1e-4 * l2Norm([sent])) basis.push(rest.map((value) => value / length));
  }
  return basis;
}

/** What is left of a vector outside a span. */
export function without(values: Float32Array, basis: readonly Float32Array[]): Float32Array {
  let rest = values;
  for (const one of basis) {
    const part = dot(rest, one);
    rest = rest.map((value, at) => value - part * one[at]!);
  }
  return rest;
}

/** The largest cosine between vectors of two spans, by power iteration. */
export function nearestCosine(one: readonly Float32Array[], other: readonly Float32Array[]): number {
  const products = one.map((a) => Float32Array.from(other, (b) => dot(a, b)));
  let vector = new Float32Array(other.length).fill(1);
  let cosine = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const image = products.map((row) => dot(row, vector));
    const back = vector.map((_, at) => products.reduce((sum, row, from) => sum + row[at]! * image[from]!, 0));
    const length = l2Norm([back]);
    if (length === 0) return 0;
    cosine = Math.sqrt(length / l2Norm([vector]));
    vector = back.map((value) => value / length);
  }
  return cosine;
}
