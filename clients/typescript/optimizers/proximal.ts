/** FedProx's proximal term, mu/2 · |w − w₀|². @see Li et al., arXiv:1812.06127, eq. 2 */
import { CutlayerError } from '../../../src/errors.js';

/** A pull that keeps local training near the point where it began. */
export interface Proximal {
  /** Strength; 0: none. */
  readonly mu: number;
  /** w₀, one array for each parameter. */
  readonly center: readonly Float32Array[];
}

/** Adds mu · (w − w₀) to a mean loss's gradients, in place. @throws CutlayerError INVALID_SHAPE */
export function addProximal(gradients: readonly Float32Array[], parameters: readonly Float32Array[], { mu, center }: Proximal): void {
  gradients.forEach((gradient, at) => {
    const [own, anchor] = [parameters[at]!, center[at]];
    if (anchor?.length !== gradient.length)
      throw new CutlayerError(
        'INVALID_SHAPE',
        `proximal term: expected ${gradient.length} values for parameter ${at}, got ${anchor?.length ?? 0}`,
      );
    for (let i = 0; i < gradient.length; i++) gradient[i] = gradient[i]! + mu * (own[i]! - anchor[i]!);
  });
}
