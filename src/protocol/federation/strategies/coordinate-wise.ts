/**
 * Robust means, coordinate by coordinate: what a few members say cannot move them far. Yin et al.
 * 2018, arXiv:1803.01498. Weights do not count: a member must not gain influence by what it states
 * about itself.
 */
import type { MemberUpdate } from './member-update.js';

/** The middle value of each coordinate, or the mean of the two middle ones, [length]. */
export function coordinateMedian(updates: readonly MemberUpdate[]): Float64Array {
  const middle = updates.length >> 1;
  return bySortedCoordinate(updates, (sorted) => (sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2));
}

/**
 * The mean of each coordinate without its `trim` smallest and `trim` largest values, [length]. The
 * caller has more than 2 · trim updates.
 */
export function trimmedMean(updates: readonly MemberUpdate[], trim: number): Float64Array {
  return bySortedCoordinate(updates, (sorted) => {
    let sum = 0;
    // In ascending order, so that the sum does not depend on the members' order.
    for (let i = trim; i < sorted.length - trim; i += 1) sum += sorted[i]!;
    return sum / (sorted.length - 2 * trim);
  });
}

function bySortedCoordinate(updates: readonly MemberUpdate[], combine: (sorted: Float64Array) => number): Float64Array {
  const values = new Float64Array(updates.length);
  return Float64Array.from({ length: updates[0]!.update.length }, (_, coordinate) => {
    for (let i = 0; i < updates.length; i += 1) values[i] = updates[i]!.update[coordinate]!;
    return combine(values.sort());
  });
}
