/** Which examples are held out: a share by keyed hash of the content, so that none ever changes sides and equal ones are on the same. */
import { CutlayerError } from '../../../../src/errors.js';

/** Share that is held out when nothing is said. */
export const DEFAULT_HELD_OUT_SHARE = 0.1;

/** @throws CutlayerError INVALID_OPTION unless 0 <= share < 1 */
export function checkHeldOutShare(share: number): number {
  if (share >= 0 && share < 1) return share;
  throw new CutlayerError('INVALID_OPTION', `held-out share: expected a share from 0 to below 1 of the examples, got ${share}`);
}

/** Whether an example is held out. @param hash Keyed, latin1, see ExampleIndex: uniform, so its first 48 bits are a number in [0, 1). */
export function isHeldOut(hash: string, share: number): boolean {
  return Buffer.from(hash.slice(0, 6), 'latin1').readUIntBE(0, 6) / 2 ** 48 < share;
}
