/** Which rows no other one beats: in the task and in a leak at once. */
import type { LeakKind, PrivacyRow } from './privacy-row.js';

/** @returns indexes of rows, in their order; rows of which the leak is not known are none */
export function paretoRows(rows: readonly PrivacyRow[], kind: LeakKind): readonly number[] {
  const points = rows.flatMap(({ task, leaks }, index) => {
    const leak = leaks[kind];
    return leak === null ? [] : [{ index, utility: task.exactMatch, leak: leak.value }];
  });
  const beats = (one: (typeof points)[number], other: (typeof points)[number]): boolean =>
    one.utility >= other.utility && one.leak <= other.leak && (one.utility > other.utility || one.leak < other.leak);
  return points.filter((point) => !points.some((one) => beats(one, point))).map(({ index }) => index);
}
