/** Which words of a text are not in another, in the order of both. */

/** A stretch of text, with the blanks behind it. */
export interface Stretch {
  readonly text: string;
  /** Not among the words that both texts have in the same order. */
  readonly changed: boolean;
}

/** The words of `after`, marked by the longest common subsequence with those of `before`. */
export function changedWords(before: string, after: string): readonly Stretch[] {
  const [a, b] = [wordsOf(before), wordsOf(after)];
  // common[i][j]: words in common of a from i and b from j.
  const common = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const same = a[i]!.trimEnd() === b[j]!.trimEnd();
      common[i]![j] = same ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const stretches: Stretch[] = [];
  for (let [i, j] = [0, 0]; j < b.length; ) {
    if (i < a.length && a[i]!.trimEnd() === b[j]!.trimEnd()) {
      stretches.push({ text: b[j++]!, changed: false });
      i += 1;
    } else if (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!) i += 1;
    else stretches.push({ text: b[j++]!, changed: true });
  }
  return stretches;
}

const wordsOf = (text: string): readonly string[] => text.match(/\s*\S+\s*/g) ?? [];
