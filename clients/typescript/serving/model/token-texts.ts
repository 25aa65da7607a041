/** Tokens as OpenAI's API shows them: text, and the bytes where the text is not whole. */
import type { TokenLogprob } from '../../inference/sampling/logprobs.js';
import type { TextModel } from './text-model.js';

/** A token by itself. */
export interface TokenText {
  /** Bytes that are no whole character are U+FFFD. */
  readonly token: string;
  readonly bytes: readonly number[];
}

/** Tokens of one model, each asked for once. */
export class TokenTexts {
  readonly #model: Pick<TextModel, 'bytesOf'>;
  readonly #known = new Map<number, TokenText>();

  constructor(model: Pick<TextModel, 'bytesOf'>) {
    this.#model = model;
  }

  of(tokens: readonly Pick<TokenLogprob, 'id'>[]): readonly TokenText[] {
    const unknown = [...new Set(tokens.map(({ id }) => id))].filter((id) => !this.#known.has(id));
    this.#model.bytesOf(unknown).forEach((bytes, at) => {
      this.#known.set(unknown[at]!, { token: Buffer.from(bytes).toString(), bytes: [...bytes] });
    });
    return tokens.map(({ id }) => this.#known.get(id)!);
  }
}

/** JSON has no infinity: a token that is ruled out has this log probability, as in OpenAI's API. */
export const finiteLogprob = (logprob: number): number => (Number.isFinite(logprob) ? logprob : -9999);
