/** What the Gaussian mechanism on embeddings guarantees, for one token. */
import { epsilonOf } from '../../../src/privacy/accountant.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { guaranteeText } from '../../../src/privacy/statement.js';

/**
 * One line, as `(token, epsilon 9.100, delta 1e-5)`. Neighbours differ by one token in the place of
 * another, so that a row of norm C moves by 2C at most.
 * @param noiseMultiplier The noise's deviation over C
 * @param releases Times that a record is sent with noise of its own; with frozen noise 1
 */
export function tokenGuarantee(noiseMultiplier: number, delta: number, releases = 1): string {
  return guaranteeText('token', epsilonOf([gaussianEvent(noiseMultiplier / 2, { kind: 'none' }, releases)], delta).epsilon, delta);
}
