/** Gradient clipping by the global norm of all parameters, as torch's `clip_grad_norm_`. */
import { l2Norm } from '../../../src/tensor/l2-norm.js';

/**
 * Scales the gradients in place by maxNorm / (norm + 1e-6) when that is below 1.
 * @returns The norm before clipping.
 */
export function clipGradNorm(gradients: readonly Float32Array[], maxNorm: number): number {
  const norm = l2Norm(gradients);
  const scale = Math.fround(maxNorm / (norm + 1e-6));
  if (scale < 1) for (const values of gradients) for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * scale;
  return norm;
}
