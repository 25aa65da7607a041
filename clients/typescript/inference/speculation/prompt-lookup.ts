/**
 * Drafts from the text itself: what followed the last tokens when they came before. It costs no
 * model, and is often right where a text repeats its prompt: extraction, rewriting, code.
 * @see Saxena: Prompt Lookup Decoding (2023)
 */

/** Longest and shortest run of tokens that is looked up; a longer one is right more often. */
const [LONGEST, SHORTEST] = [4, 2];

/** Most tokens that are remembered; beyond, no new runs are. It bounds the index. */
const MAX_TOKENS = 131_072;

/** The tokens of one text, with where each run of them came last. */
export class PromptLookup {
  readonly #ids: number[] = [];
  /** Per length of a run: where the token after its last place stands. */
  readonly #after = new Map<string, number>();

  constructor(ids: readonly number[]) {
    for (const id of ids) this.push(id);
  }

  /** Adds the next token. */
  push(id: number): void {
    if (this.#ids.length >= MAX_TOKENS) return;
    // The run that ends before this token is followed by it.
    for (let length = SHORTEST; length <= LONGEST && length <= this.#ids.length; length++)
      this.#after.set(this.#run(length), this.#ids.length);
    this.#ids.push(id);
  }

  /** Up to `most` tokens that may come next; none where the last ones came nowhere before. */
  draft(most: number): readonly number[] {
    for (let length = Math.min(LONGEST, this.#ids.length); length >= SHORTEST; length--) {
      const from = this.#after.get(this.#run(length));
      if (from !== undefined) return this.#continued(from, most);
    }
    return [];
  }

  /** A text that overlaps its own end goes round: "abab" is continued by "abab…". */
  #continued(from: number, most: number): readonly number[] {
    const period = this.#ids.length - from;
    return Array.from({ length: most }, (_, at) => this.#ids[from + (at % period)]!);
  }

  #run(length: number): string {
    return this.#ids.slice(-length).join();
  }
}
