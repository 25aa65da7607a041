/** Log probabilities in the form of `/v1/completions`. */
import type { ScoredToken } from '../../inference/continuation.js';
import { finiteLogprob, type TokenText, type TokenTexts } from '../model/token-texts.js';

/** Four lists of one length. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  /** Null for the first token of a prompt. */
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Readonly<Record<string, number>> | null)[];
  /** Of each token's first character in the answer's text. */
  readonly text_offset: number[];
}

/** A token's text; `bytes:\\xe2\\x80` where its bytes are not text, as OpenAI's API writes it. */
function keyOf({ token, bytes }: TokenText): string {
  if (Buffer.from(token).equals(Uint8Array.from(bytes))) return token;
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}

/** Gathers tokens in order. */
export class CompletionScores {
  readonly #texts: TokenTexts;
  #offset = 0;

  constructor(texts: TokenTexts) {
    this.#texts = texts;
  }

  /** @param tokens A token without a score is known by its id alone. */
  of(tokens: readonly (ScoredToken | { readonly id: number; readonly top?: undefined })[]): CompletionLogprobs {
    const found: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const scored of tokens) {
      const [own, ...others] = this.#texts.of([scored, ...(scored.top ?? [])]);
      found.tokens.push(keyOf(own!));
      found.text_offset.push(this.#offset);
      this.#offset += own!.token.length;
      if (scored.top === undefined) {
        found.token_logprobs.push(null);
        found.top_logprobs.push(null);
        continue;
      }
      // Of tokens with the same bytes the most probable one counts.
      const top = new Map<string, number>();
      others.forEach((text, at) => {
        const key = keyOf(text);
        if (!top.has(key)) top.set(key, finiteLogprob(scored.top[at]!.logprob));
      });
      found.token_logprobs.push(finiteLogprob(scored.logprob));
      found.top_logprobs.push(Object.fromEntries(top));
    }
    return found;
  }
}
