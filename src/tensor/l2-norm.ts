/** The L2 norm of all values together, summed in float64. */
export function l2Norm(parts: readonly Float32Array[]): number {
  let sum = 0;
  for (const values of parts) for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}
