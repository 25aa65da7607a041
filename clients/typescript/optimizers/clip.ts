/** Gradient clipping by the global norm, as `torch.nn.utils.clip_grad_norm_` does it. */

/** The L2 norm, summed in float64. */
export function l2Norm(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
}

/**
 * Scales `gradient` in place by maxNorm / (norm + 1e-6) when that is below 1.
 * @returns The norm before clipping.
 */
export function clipGradNorm(gradient: Float32Array, maxNorm: number): number {
  const norm = l2Norm(gradient);
  const scale = Math.fround(maxNorm / (norm + 1e-6));
  if (scale < 1) for (let i = 0; i < gradient.length; i++) gradient[i] = (gradient[i] as number) * scale;
  return norm;
}
