/**
 * Finds a tokenizer's added tokens in a text, as the Rust tokenizers do. The leftmost and longest
 * counts. A token may ask for whole words, and may take the white space beside it.
 * @see huggingface/tokenizers, added_vocabulary.rs
 */

/** A row of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  /** Looked for in normalized text. */
  readonly normalized?: boolean;
  readonly special?: boolean;
}

/** A part of a text: an added token's id, or text between them. */
export interface Section {
  readonly start: number;
  readonly end: number;
  readonly id: number | undefined;
}

interface Node {
  readonly next: Map<number, Node>;
  token: AddedToken | undefined;
}

const WORD_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]$/u;
const WORD_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u;

// JavaScript's own trimming takes U+FEFF and leaves U+0085.
const SPACES_BEFORE = /\p{White_Space}+$/u;
const SPACES_AFTER = /^\p{White_Space}+/u;

/** The added tokens of one kind: those looked for in the text, or those in the normalized text. */
export class AddedTokens {
  readonly #root: Node = { next: new Map(), token: undefined };

  /** @param tokens By the text that is looked for. */
  constructor(tokens: ReadonlyMap<string, AddedToken>) {
    for (const [content, token] of tokens) {
      let node = this.#root;
      for (let at = 0; at < content.length; at++) {
        const unit = content.charCodeAt(at);
        let next = node.next.get(unit);
        if (next === undefined) {
          next = { next: new Map(), token: undefined };
          node.next.set(unit, next);
        }
        node = next;
      }
      if (content !== '') node.token = token;
    }
  }

  /** The text's sections in order; together they are the text. */
  split(text: string): readonly Section[] {
    const sections: Section[] = [];
    let done = 0;
    for (let at = 0; at < text.length; ) {
      const found = this.#longestAt(text, at);
      if (found === undefined) {
        at++;
        continue;
      }
      const { token, end } = found;
      const whole = token.single_word !== true || (!WORD_END.test(before(text, at)) && !WORD_START.test(text.slice(end, end + 2)));
      if (whole) {
        const start = token.lstrip === true ? Math.max(done, at - spaces(SPACES_BEFORE, text.slice(0, at))) : Math.max(done, at);
        const stop = token.rstrip === true ? end + spaces(SPACES_AFTER, text.slice(end)) : end;
        if (done < start) sections.push({ start: done, end: start, id: undefined });
        sections.push({ start, end: stop, id: token.id });
        done = stop;
      }
      at = end;
    }
    if (done < text.length) sections.push({ start: done, end: text.length, id: undefined });
    return sections;
  }

  #longestAt(text: string, at: number): { readonly token: AddedToken; readonly end: number } | undefined {
    let node: Node | undefined = this.#root.next.get(text.charCodeAt(at));
    let found: { readonly token: AddedToken; readonly end: number } | undefined;
    for (let end = at + 1; node !== undefined; end++) {
      if (node.token !== undefined) found = { token: node.token, end };
      node = end < text.length ? node.next.get(text.charCodeAt(end)) : undefined;
    }
    return found;
  }
}

/** The character before a place, with both halves of a pair. */
function before(text: string, at: number): string {
  return text.slice(Math.max(0, at - 2), at);
}

function spaces(pattern: RegExp, text: string): number {
  return pattern.exec(text)?.[0].length ?? 0;
}
