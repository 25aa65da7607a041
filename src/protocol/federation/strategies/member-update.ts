/** The updates of a round, checked and put in an order that does not depend on arrival. */
import { CutlayerError } from '../../../errors.js';

/** What one member gives into a round. */
export interface MemberUpdate {
  readonly member: string;
  /** [length] */
  readonly update: Float32Array;
  /** Above 0. */
  readonly weight: number;
}

/**
 * @throws CutlayerError INVALID_SHAPE, NON_FINITE (update), INVALID_ARGUMENT (weight); each names
 *   the member, also as the detail `member`
 */
export function requireSoundUpdate({ member, update, weight }: MemberUpdate, length: number): void {
  const details = { member };
  if (update.length !== length) {
    throw new CutlayerError('INVALID_SHAPE', `update of ${member}: expected ${length} values, got ${update.length}`, { details });
  }
  if (!(weight > 0 && Number.isFinite(weight))) {
    throw new CutlayerError('INVALID_ARGUMENT', `update of ${member}: expected a weight above 0, got ${weight}`, { details });
  }
  const at = update.findIndex((value) => !Number.isFinite(value));
  if (at !== -1)
    throw new CutlayerError('NON_FINITE', `update of ${member}: expected finite values, got ${update[at]} at ${at}`, { details });
}

/**
 * The updates by member name, in the order of code units.
 * @throws CutlayerError what {@link requireSoundUpdate} throws; INVALID_ARGUMENT for none at all,
 *   and for a member that is there twice
 */
export function soundUpdates(updates: readonly MemberUpdate[]): readonly MemberUpdate[] {
  const [first] = updates;
  if (first === undefined) throw new CutlayerError('INVALID_ARGUMENT', 'aggregate: expected the update of one member at least, got none');
  const sorted = [...updates].sort((a, b) => (a.member < b.member ? -1 : 1));
  for (const [i, update] of sorted.entries()) {
    requireSoundUpdate(update, first.update.length);
    if (i > 0 && sorted[i - 1]!.member === update.member) {
      throw new CutlayerError('INVALID_ARGUMENT', `aggregate: expected one update of each member, got two of ${update.member}`);
    }
  }
  return sorted;
}
