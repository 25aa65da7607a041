/** The text of tokens as they come: the pieces joined are the text of all of them. */

/** Tokens that are decoded again with the next one, so that its text is as it is in context. */
const CONTEXT = 8;
/** Tokens after which decoding starts anew, at a border of characters. */
const FULL = 16;
/** Tokens after which it does so anywhere. */
const LONGEST = 64;

/** What bytes decode to that are no whole character, or not UTF-8. */
const UNDECODED = /\uFFFD+$/u;
/** A character that is not complete decodes to at most so many of them. */
const MOST_UNDECODED = 3;

/**
 * Decodes tokens one at a time. A character may be spread over several tokens: its text waits for
 * the last of them. Decoding starts anew with the last few tokens, so that a long text costs no
 * more for each token than a short one.
 */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string;
  #window: number[] = [];
  /** How much of the window's text has been given. */
  #given = 0;
  /** Tokens of the window after which no character was incomplete. */
  #borders: number[] = [];

  /** @param decode the text of tokens */
  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** The text that a token completes, often empty. */
  push(id: number): string {
    this.#window.push(id);
    const text = this.#decode(this.#window);
    const undecoded = UNDECODED.exec(text)?.[0].length ?? 0;
    const held = this.#window.length < LONGEST ? undecoded : Math.min(undecoded, MOST_UNDECODED);
    const piece = text.slice(this.#given, text.length - held);
    this.#given += piece.length;
    if (held === 0) this.#borders.push(this.#window.length);
    this.#startAnew(text, held);
    return piece;
  }

  /** What is left when no token follows. */
  finish(): string {
    const text = this.#decode(this.#window).slice(this.#given);
    this.#window = [];
    this.#borders = [];
    this.#given = 0;
    return text;
  }

  #startAnew(text: string, held: number): void {
    if (this.#window.length < FULL) return;
    const latest = this.#window.length - CONTEXT;
    const from = this.#borders.findLast((border) => border <= latest) ?? latest;
    const tail = this.#decode(this.#window.slice(from));
    // Decoders strip the space before the first token.
    const fits = tail !== '' && text.endsWith(tail.trimStart());
    if (!(fits && held === 0) && this.#window.length < LONGEST) return;
    this.#window = this.#window.slice(from);
    this.#borders = this.#borders.filter((border) => border > from).map((border) => border - from);
    this.#given = Math.max(0, tail.length - held);
  }
}
