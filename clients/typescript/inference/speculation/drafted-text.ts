/**
 * A continuation whose next tokens are drafted, so that one round trip may bring several. The
 * sampler draws a token for each row in turn, as it would without drafts. What follows the first
 * drafted token that it did not draw is dropped. So the tokens are those without drafts, at every
 * temperature.
 */
import type { Continuation, Piece } from '../continuation.js';
import { DraftLength } from './draft-length.js';
import { PromptLookup } from './prompt-lookup.js';

/** Most drafted tokens beside one token, unless the caller says otherwise. */
export const DEFAULT_DRAFT_TOKENS = 16;

/** The text, and what may follow it. */
export class DraftedText {
  /** Tokens that may come next. */
  draft: readonly number[] = [];
  readonly #text: Continuation;
  readonly #lookup: PromptLookup | undefined;
  readonly #length: DraftLength;
  #begun = false;

  /** @param most drafted tokens at a time; 0: none ever */
  constructor(text: Continuation, most: number) {
    this.#text = text;
    this.#lookup = most > 0 ? new PromptLookup(text.ids) : undefined;
    this.#length = new DraftLength(most);
  }

  get ids(): readonly number[] {
    return this.#text.ids;
  }

  get maxTokens(): number {
    return this.#text.maxTokens;
  }

  /** Drafts the tokens of the next step; none in the first one, which computes the prompt. */
  plan(): void {
    const room = this.#text.maxTokens - this.#text.ids.length - 1;
    this.draft = this.#begun && this.#lookup !== undefined ? this.#lookup.draft(Math.min(this.#length.next(), room)) : [];
  }

  /**
   * Chooses tokens from logits.
   * @param rows after the text, and after each token of the draft or of none; they are changed
   * @param ms that they took
   * @param ready awaited before each choice
   */
  async *choose(rows: readonly Float32Array[], ms: number, ready?: () => Promise<void>): AsyncGenerator<Piece> {
    let accepted = 0;
    try {
      for (const [at, row] of rows.entries()) {
        await ready?.();
        const piece = this.#text.step(row);
        const id = this.#text.ids.at(-1)!;
        if (piece.finish === undefined) this.#lookup?.push(id);
        yield piece;
        if (piece.finish !== undefined || id !== this.draft[at]) return;
        accepted++;
      }
    } finally {
      if (this.#begun) this.#length.note(rows.length - 1, Math.min(accepted, rows.length - 1), ms);
      this.#begun = true;
    }
  }
}
