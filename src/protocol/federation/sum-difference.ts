/**
 * The difference of two sums. Members that are in one sum alone do not cancel in it. The others do
 * where they send nearly the same in both rounds, as in two evaluate rounds of one version. The
 * difference is then nearly the sum of the former.
 */

/**
 * Why a sum may not be released after an earlier one; null: it may.
 * @param before Members of the newest sum of the same purpose; undefined: there is none.
 * @param least Members by which the two have to differ, unless they are the same; 0: any number.
 */
export function differenceFault(before: readonly string[] | undefined, survivors: readonly string[], least: number): string | null {
  if (before === undefined) return null;
  const differing = [...before.filter((name) => !survivors.includes(name)), ...survivors.filter((name) => !before.includes(name))];
  if (differing.length === 0 || differing.length >= least) return null;
  return (
    `the sum before it was of the same members except ${differing.sort().join(', ')}; ` +
    `the difference of the two sums shows those alone, and this member's floor is ${least}`
  );
}
