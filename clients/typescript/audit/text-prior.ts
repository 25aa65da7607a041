/**
 * How likely a token is after those before it, counted in other texts: three tokens, two, one.
 * @see Witten and Bell 1991, "The zero-frequency problem", method C (the weight of fewer tokens)
 */
const ORDERS = [0, 1, 2];

/** Continuations of one history. */
interface Continuations {
  readonly counts: Map<number, number>;
  total: number;
}

/** Counts of texts. */
export class TextPrior {
  readonly #vocabSize: number;
  readonly #after = new Map<string, Continuations>();

  constructor(vocabSize: number, texts: readonly (readonly number[])[]) {
    this.#vocabSize = vocabSize;
    for (const text of texts)
      for (const [at, token] of text.entries())
        for (const order of ORDERS.filter((order) => order <= at)) {
          const found = this.#of(text.slice(at - order, at)) ?? this.#begin(text.slice(at - order, at));
          found.counts.set(token, (found.counts.get(token) ?? 0) + 1);
          found.total++;
        }
  }

  /** Log of the share of a token; never -Infinity. */
  logProbability(token: number, before: readonly number[]): number {
    let share = 1 / this.#vocabSize;
    for (const order of ORDERS.filter((order) => order <= before.length)) {
      const found = this.#of(before.slice(before.length - order));
      if (found === undefined) break;
      const kinds = found.counts.size;
      share = ((found.counts.get(token) ?? 0) + kinds * share) / (found.total + kinds);
    }
    return Math.log(share);
  }

  /** The most frequent continuations of the longest beginning that was seen, at most `count`. */
  likeliest(before: readonly number[], count: number): readonly number[] {
    const found = ORDERS.map((order) => (order <= before.length ? this.#of(before.slice(before.length - order)) : undefined));
    const counts = [...(found.findLast((one) => one !== undefined)?.counts ?? [])];
    return counts
      .sort(([, a], [, b]) => b - a)
      .slice(0, count)
      .map(([token]) => token);
  }

  #of(history: readonly number[]): Continuations | undefined {
    return this.#after.get(history.join(' '));
  }

  #begin(history: readonly number[]): Continuations {
    const fresh = { counts: new Map<number, number>(), total: 0 };
    this.#after.set(history.join(' '), fresh);
    return fresh;
  }
}
