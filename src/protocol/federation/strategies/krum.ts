/**
 * Krum and Multi-Krum: the updates with the closest neighbours. Blanchard et al. 2017, "Machine
 * Learning with Adversaries: Byzantine Tolerant Gradient Descent", sections 3 and 4. With n members
 * of whom f may lie, n >= 2f + 3. Weights do not count.
 */
import type { MemberUpdate } from './member-update.js';

/**
 * The score of each update: the sum of squared distances to its n − f − 2 closest others.
 * @param byzantine f; the caller has at least 2f + 3 updates
 */
export function krumScores(updates: readonly MemberUpdate[], byzantine: number): Float64Array {
  const n = updates.length;
  const neighbours = n - byzantine - 2;
  const distances = new Float64Array(n * n); // [n, n], symmetric
  for (let i = 0; i < n; i += 1) {
    for (let j = i + 1; j < n; j += 1) {
      const distance = squaredDistance(updates[i]!.update, updates[j]!.update);
      distances[i * n + j] = distance;
      distances[j * n + i] = distance;
    }
  }
  return Float64Array.from({ length: n }, (_, i) => {
    const others = distances.slice(i * n, (i + 1) * n).sort();
    // The smallest is the distance to itself, 0, or that of a twin.
    return others.subarray(1, 1 + neighbours).reduce((sum, distance) => sum + distance, 0);
  });
}

/**
 * The `select` updates of the lowest scores, lowest first; of equal scores the member whose name
 * comes first. `updates` are by name.
 */
export function krumSelection(updates: readonly MemberUpdate[], byzantine: number, select: number): readonly MemberUpdate[] {
  const scores = krumScores(updates, byzantine);
  const order = [...updates.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
  return order.slice(0, select).map((i) => updates[i]!);
}

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) {
    const difference = a[i]! - b[i]!;
    sum += difference * difference;
  }
  return sum;
}
