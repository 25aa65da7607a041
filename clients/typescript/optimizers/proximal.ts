/** The proximal term of FedProx: mu/2 · |w − w₀|² beside the loss keeps local training near the point it began from. @see Li et al., arXiv:1812.06127, eq. 2 */
import { CutlayerError } from '../../../src/errors.js';

/** A pull towards a point. */
export interface Proximal {
  /** Strength; 0: none. */
  readonly mu: number;
  /** w₀, one array for each parameter. */
  readonly center: readonly Float32Array[];
}

/** Adds mu · (w − w₀) to the gradients of a mean loss, in place. @throws CutlayerError INVALID_SHAPE when the centre is of other parameters */
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
