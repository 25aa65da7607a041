/**
 * Which code has run: by function, the ranges of its source that have not. V8's precise coverage
 * says it.
 */
import type { Profiler } from 'node:inspector';

/** From the first character to before the last one. */
export type Range = readonly [from: number, to: number];

/** A function's ranges that no input has reached; they are sorted and do not touch. */
export function unreachedRanges(counted: readonly Profiler.CoverageRange[]): Range[] {
  const unreached: [number, number][] = [];
  // V8 lists a range before the ranges within it, whose counts hold in its place.
  const open: Profiler.CoverageRange[] = [];
  let at = counted[0]?.startOffset ?? 0;
  const goTo = (to: number): void => {
    if (to > at && open.at(-1)?.count === 0) {
      const last = unreached.at(-1);
      if (last?.[1] === at) last[1] = to;
      else unreached.push([at, to]);
    }
    at = Math.max(at, to);
  };
  const leave = (before: number): void => {
    for (let top = open.at(-1); top !== undefined && top.endOffset <= before; top = open.at(-1)) {
      goTo(top.endOffset);
      open.pop();
    }
  };
  for (const range of counted) {
    leave(range.startOffset);
    goTo(range.startOffset);
    open.push(range);
  }
  leave(Number.POSITIVE_INFINITY);
  return unreached;
}

/** What is in both lists of ranges. */
export function inBoth(left: readonly Range[], right: readonly Range[]): Range[] {
  const both: Range[] = [];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [a, b] = [left[i]!, right[j]!];
    const [from, to] = [Math.max(a[0], b[0]), Math.min(a[1], b[1])];
    if (from < to) both.push([from, to]);
    if (a[1] < b[1]) i++;
    else j++;
  }
  return both;
}

const lengthOf = (ranges: readonly Range[]): number => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** The code that the inputs of a target have reached so far. */
export class ReachedCode {
  readonly #unreached = new Map<string, readonly Range[]>();

  /** Functions that have run. */
  get functions(): number {
    return this.#unreached.size;
  }

  /** Whether code has run that had not before. */
  hasNew(scripts: readonly Profiler.ScriptCoverage[]): boolean {
    for (const [key, unreached] of functionsOf(scripts)) {
      const before = this.#unreached.get(key);
      if (before === undefined || lengthOf(inBoth(before, unreached)) < lengthOf(before)) return true;
    }
    return false;
  }

  add(scripts: readonly Profiler.ScriptCoverage[]): void {
    for (const [key, unreached] of functionsOf(scripts)) {
      const before = this.#unreached.get(key);
      this.#unreached.set(key, before === undefined ? unreached : inBoth(before, unreached));
    }
  }
}

/** The functions that ran, by script and place. */
function* functionsOf(scripts: readonly Profiler.ScriptCoverage[]): Generator<[key: string, unreached: Range[]]> {
  for (const { url, functions } of scripts) {
    for (const { ranges } of functions) {
      const [whole] = ranges;
      if (whole !== undefined && whole.count > 0) yield [`${url}:${whole.startOffset}`, unreachedRanges(ranges)];
    }
  }
}
