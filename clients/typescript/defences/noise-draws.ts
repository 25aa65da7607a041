/** Numbers of a law from a row's bytes. */
import type { RowBytes } from './noise-secret.js';

/** Uniform in (0, 1], 32 bits each. */
export function uniforms(bytes: RowBytes, count: number): Float64Array {
  const words = new Uint32Array(Uint8Array.from(bytes(4 * count)).buffer);
  return Float64Array.from(words, (word) => (word + 1) / 2 ** 32);
}

/** Uniform numbers that so many normals take. */
export function uniformsOfNormals(count: number): number {
  return count + (count % 2);
}

/** Standard normals (Box-Muller). @param uniform At least {@link uniformsOfNormals} of them. */
export function normalsOf(uniform: Float64Array, count: number): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform[i]!));
    const angle = 2 * Math.PI * uniform[i + 1]!;
    values[i] = radius * Math.cos(angle);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

/** Standard normals of a row's next bytes. */
export function normals(bytes: RowBytes, count: number): Float64Array {
  return normalsOf(uniforms(bytes, uniformsOfNormals(count)), count);
}
