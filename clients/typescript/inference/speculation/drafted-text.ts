/**
 * A continuation whose next tokens are drafted, so that one round trip may bring several. The
 * sampler draws a token for each row in turn, as it would without drafts. What follows the first
 * drafted token that it did not draw is dropped. So the tokens are those without drafts, at every
 * temperature.
 */
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';
import type { DraftedSequence, DraftModel } from '../../model/draft-model.js';
import type { Continuation, Piece } from '../continuation.js';
import { DraftLength } from './draft-length.js';
import { PromptLookup } from './prompt-lookup.js';

/** Most drafted tokens beside one token, unless the caller says otherwise. */
export const DEFAULT_DRAFT_TOKENS = 16;

/** What a small model may fail by: its thread, its memory or its room. */
const withoutDrafts: readonly ErrorCode[] = ['WORKER_CRASHED', 'OUT_OF_MEMORY', 'UNAVAILABLE', 'LIMIT_EXCEEDED', 'QUEUE_FULL'];

/** The text, and what may follow it. */
export class DraftedText {
  /** Tokens that may come next. */
  draft: readonly number[] = [];
  readonly #text: Continuation;
  readonly #lookup: PromptLookup | undefined;
  #model: DraftedSequence | undefined;
  readonly #length: DraftLength;
  #begun = false;
  /** The small model reads the prompt while the gateway does. */
  #read: Promise<unknown> | undefined;

  /**
   * @param most drafted tokens at a time; 0: none ever
   * @param model drafts instead of the text itself
   */
  constructor(text: Continuation, most: number, model?: DraftModel) {
    this.#text = text;
    this.#model = most > 0 ? model?.begin(text.maxTokens) : undefined;
    this.#lookup = most > 0 && model === undefined ? new PromptLookup(text.ids) : undefined;
    this.#length = new DraftLength(most);
  }

  get ids(): readonly number[] {
    return this.#text.ids;
  }

  get maxTokens(): number {
    return this.#text.maxTokens;
  }

  /**
   * Drafts the tokens of the next step; none in the first one, which computes the prompt.
   * @throws CutlayerError NON_FINITE, INTERNAL: of the small model
   */
  async plan(): Promise<void> {
    if (!this.#begun) {
      this.#read = this.#model?.draft(this.#text.ids, 1);
      this.#read?.catch(() => undefined); // the next draft throws it again
      return;
    }
    const most = Math.min(this.#length.next(), this.#text.maxTokens - this.#text.ids.length - 1);
    this.draft = most < 1 ? [] : this.#model === undefined ? (this.#lookup?.draft(most) ?? []) : await this.#modelled(this.#model, most);
  }

  /** A small model that fails drafts no more: the text goes on without. */
  async #modelled(model: DraftedSequence, most: number): Promise<readonly number[]> {
    try {
      return await model.draft(this.#text.ids, most);
    } catch (caught) {
      if (!withoutDrafts.includes(CutlayerError.from(caught).code)) throw caught;
      this.close();
      this.#model = undefined;
      return [];
    }
  }

  /** The text has ended, or was given up. */
  close(): void {
    this.#model?.close();
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
      await this.#read?.catch(() => undefined);
      if (this.#begun) this.#length.note(rows.length - 1, Math.min(accepted, rows.length - 1), ms);
      this.#begun = true;
    }
  }
}
