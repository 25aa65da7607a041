/** What reading a file tells: rows that were left out or cut, dialects, and keys not read. */

/** A record that was cut, was too long, or lost all that it teaches by the cut. */
export type Touch = 'cut' | 'long' | 'unlearned';

/** Counts of one file. */
export class ReadingNotices {
  readonly #touched: Record<Touch, number> = { cut: 0, long: 0, unlearned: 0 };
  readonly #keys = new Map<string, number>();
  readonly #dialects = new Map<string, number>();

  add(touch: Touch | undefined, unread: readonly string[], dialect: string | undefined): void {
    if (touch !== undefined) this.#touched[touch]++;
    for (const key of unread) count(this.#keys, key);
    if (dialect !== undefined) count(this.#dialects, dialect);
  }

  /** Why rows were left out; undefined when none was. @param most Tokens of the limit */
  leftOut(most: number): string | undefined {
    const { long, unlearned } = this.#touched;
    if (unlearned === 0) return long === 0 ? undefined : `all ${long} are longer than ${most} tokens and were left out`;
    const others = long === 0 ? '' : `, and ${long} longer ones were left out`;
    return `the learned part of ${unlearned} begins after ${most} tokens, where rows are cut${others}`;
  }

  lines(most: number): readonly string[] {
    const { cut, long, unlearned } = this.#touched;
    const keys = [...this.#keys].slice(0, 8).map(([key, records]) => `${JSON.stringify(key.slice(0, 60))} (${rows(records)})`);
    const more = this.#keys.size > 8 ? ` and ${this.#keys.size - 8} more` : '';
    return [
      ...[...this.#dialects].map(([dialect, records]) => `${rows(records)} read as ${dialect}`),
      ...(long > 0 ? [`${rows(long)} longer than ${most} tokens were left out`] : []),
      ...(cut > 0 ? [`${rows(cut)} longer than ${most} tokens were cut; they end without the eos token`] : []),
      ...(unlearned > 0 ? [`${rows(unlearned)} left out: the learned part begins after ${most} tokens, where rows are cut`] : []),
      ...(keys.length > 0 ? [`keys that no record reads: ${keys.join(', ')}${more}`] : []),
    ];
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

const rows = (count: number): string => `${count} ${count === 1 ? 'row' : 'rows'}`;
