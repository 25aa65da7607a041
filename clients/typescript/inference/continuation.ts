/** One continuation of a prompt: its tokens, its text and its end. Pure but for the tokenizer. */
import type { TextTokenizer } from '../data/text-tokenizer.js';
import type { SplitModel } from '../model/split-model.js';
import type { Constraint } from './grammar/constraint.js';
import type { Guide } from './grammar/guide.js';
import { logprobsOf, type TokenLogprob, topLogprobs } from './sampling/logprobs.js';
import { createSampler, type Sampler } from './sampling/sampler.js';
import type { SamplingOptions } from './sampling/settings.js';
import { StopStrings } from './stop-strings.js';
import { TextStream } from './text-stream.js';

/** How tokens are chosen and when to stop. */
export interface ContinuationOptions extends SamplingOptions {
  /** Default 128; never more than the model has positions for. */
  readonly maxNewTokens?: number | undefined;
  /** The text ends before any of these strings. */
  readonly stop?: readonly string[] | undefined;
  /** Ids at which the text ends, beside those of the checkpoint. */
  readonly stopTokenIds?: readonly number[] | undefined;
  /**
   * What the text is held to, token by token. Stop tokens come only where it may end. With finish
   * `length`, or at a stop string, the text may be incomplete.
   */
  readonly constraint?: Constraint | undefined;
  /**
   * Give the log probability of each token, and those of so many most probable ones: the model's
   * own, whatever a constraint allows.
   */
  readonly topLogprobs?: number | undefined;
}

/** Why a text ended: at a stop token or string, or at its longest. */
export type Finish = 'stop' | 'length';

/** A token with its log probability and those of the most probable ones. */
export type ScoredToken = TokenLogprob & { readonly top: readonly TokenLogprob[] };

/** What a step adds to a continuation. */
export interface Piece {
  /** The chosen token; a stop token is none. */
  readonly token?: ScoredToken;
  /** The stop token that ended the text, where log probabilities are wanted. */
  readonly stopToken?: ScoredToken;
  /** Text that can be shown now, often empty. */
  readonly text: string;
  /** Present in the last piece. */
  readonly finish?: Finish;
  /** The stop string that ended it. */
  readonly stop?: string;
}

/** A text that grows by a token a step. */
export class Continuation {
  /** Prompt and text; a stop token is not added. */
  readonly ids: number[];
  readonly promptLength: number;
  /** Prompt and text at their longest. */
  readonly maxTokens: number;
  readonly #sample: Sampler;
  readonly #stopTokenIds: ReadonlySet<number>;
  readonly #text: TextStream;
  readonly #stops: StopStrings;
  readonly #topLogprobs: number | undefined;
  readonly #guide: Guide | undefined;
  #left: number;
  #finish: Finish | undefined;

  /**
   * @param room tokens that the model has positions for after the prompt
   * @param number its number among those of one prompt
   * @param guide of `options.constraint`
   * @throws CutlayerError INVALID_ARGUMENT
   */
  constructor(
    model: Pick<SplitModel, 'bundle'>,
    promptIds: readonly number[],
    room: number,
    options: ContinuationOptions,
    number = 0,
    guide?: Guide,
  ) {
    const { tokenizer, manifest } = model.bundle;
    this.#stopTokenIds = new Set([...tokenizer.stopTokenIds, ...(options.stopTokenIds ?? [])]);
    this.#sample = createSampler(options, { defaults: manifest.generation, stopTokenIds: this.#stopTokenIds }, number);
    this.#text = textStream(tokenizer);
    this.#stops = new StopStrings(options.stop ?? []);
    this.#topLogprobs = options.topLogprobs;
    this.#guide = guide;
    this.ids = [...promptIds];
    this.promptLength = promptIds.length;
    this.#left = Math.min(room, options.maxNewTokens ?? 128);
    this.maxTokens = promptIds.length + Math.max(0, this.#left);
    if (this.#left <= 0) this.#finish = 'length';
  }

  /** How it ended; undefined while it goes on. */
  get finish(): Finish | undefined {
    return this.#finish;
  }

  /** Chooses the next token. @param logits [vocabulary] after its ids; they are changed */
  step(logits: Float32Array): Piece {
    const before = this.#topLogprobs === undefined ? undefined : logits.slice();
    if (this.#guide?.apply(logits) === false) return this.#end('stop', this.#stops.push(this.#text.finish()));
    const id = this.#sample(logits, this);
    if (this.#stopTokenIds.has(id)) {
      const end = this.#end('stop', this.#stops.push(this.#text.finish()));
      return before === undefined ? end : { ...end, stopToken: { id, ...this.#logprobs(before, id) } };
    }
    this.#guide?.accept(id);
    const token = { id, ...this.#logprobs(before, id) };
    this.ids.push(id);
    this.#left--;
    const shown = this.#stops.push(this.#text.push(id));
    if (shown.stop !== undefined) return { token, ...this.#end('stop', shown) };
    if (this.#left > 0) return { token, text: shown.text };
    const rest = this.#stops.push(this.#text.finish());
    return { token, ...this.#end(rest.stop === undefined ? 'length' : 'stop', { ...rest, text: shown.text + rest.text }) };
  }

  /** @param logits as the model gave them; undefined where they are not wanted */
  #logprobs(logits: Float32Array | undefined, id: number): Omit<ScoredToken, 'id'> {
    if (logits === undefined) return { logprob: Number.NaN, top: [] };
    const of = logprobsOf(logits);
    return { logprob: of(id), top: topLogprobs(logits, this.#topLogprobs ?? 0, of) };
  }

  #end(finish: Finish, { text, stop }: { readonly text: string; readonly stop?: string }): Piece {
    this.#finish = finish;
    return { text: stop === undefined ? text + this.#stops.finish() : text, finish, ...(stop !== undefined && { stop }) };
  }
}

const textStream = (tokenizer: TextTokenizer): TextStream => new TextStream((ids) => tokenizer.decode(ids));
