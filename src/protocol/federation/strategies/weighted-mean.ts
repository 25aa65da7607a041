/** Weighted means in float64, added up by member name: the order of arrival changes no bit. */
import { CutlayerError } from '../../../errors.js';
import { type MemberUpdate, requireSoundUpdate, soundUpdates } from './member-update.js';

/** A mean that is given one update after the other, so that only one need be in memory. */
export class MeanSum {
  readonly #sum: Float64Array;
  #weight = 0;
  #last: string | null = null;

  /** @param length Values of each update. */
  constructor(length: number) {
    this.#sum = new Float64Array(length);
  }

  /** Sum of the weights so far: what the sum is divided by. */
  get weight(): number {
    return this.#weight;
  }

  /**
   * @param update Of a member whose name comes after the last one's, in the order of code units.
   * @throws CutlayerError INVALID_SHAPE, NON_FINITE, INVALID_ARGUMENT; each names the member
   */
  add(update: MemberUpdate): void {
    requireSoundUpdate(update, this.#sum.length);
    const { member, update: values, weight } = update;
    if (this.#last !== null && !(this.#last < member)) {
      throw new CutlayerError('INVALID_ARGUMENT', `mean: expected members by name, each once, got ${member} after ${this.#last}`);
    }
    this.#last = member;
    this.#weight += weight;
    for (let i = 0; i < values.length; i += 1) this.#sum[i]! += weight * values[i]!;
  }

  /** [length]. @throws CutlayerError INVALID_ARGUMENT without an update */
  mean(): Float64Array {
    if (this.#weight === 0) throw new CutlayerError('INVALID_ARGUMENT', 'mean: expected the update of one member at least, got none');
    return this.#sum.map((value) => value / this.#weight);
  }
}

/** Σ weight · update / Σ weight, [length]. @throws CutlayerError as {@link soundUpdates} */
export function weightedMean(updates: readonly MemberUpdate[]): Float64Array {
  const sorted = soundUpdates(updates);
  const sum = new MeanSum(sorted[0]!.update.length);
  for (const update of sorted) sum.add(update);
  return sum.mean();
}
