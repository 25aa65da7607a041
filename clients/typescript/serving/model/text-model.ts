/** What the endpoints need of a model: text to tokens and back, answers, rows. */
import type { Conversation } from '../../data/messages.js';
import type { ContinuationOptions, ScoredToken } from '../../inference/continuation.js';
import type { NumberedPiece } from '../../inference/generate.js';

/** A model as `/v1/models` shows it. */
export interface ModelCard {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** The base model that an adapter belongs to; undefined for the base itself. */
  readonly parent: string | undefined;
  /** sha256 of the backbone's manifest. */
  readonly backboneDigest: string;
  /** The day from which the vendor no longer serves the backbone; undefined: not announced. */
  readonly shutdownDate: string | undefined;
  /** How the adapter was trained. */
  readonly method: string | undefined;
}

/** How a call of a model is made. */
export interface ModelCall {
  /** The task's name, for an adapter with tasks. */
  readonly task: string | undefined;
  readonly signal: AbortSignal;
}

/** A prompt and how it is continued. */
export interface ContinuedPrompt {
  readonly ids: readonly number[];
  readonly options: ContinuationOptions;
  /** Among the answers to one prompt. */
  readonly number: number;
}

/** The base model, or it with an adapter. */
export interface TextModel {
  readonly card: ModelCard;
  /** Most tokens of prompt and answer together. */
  readonly maxLength: number;
  /** Positions that the adapter's virtual tokens take. */
  readonly virtualTokens: number;
  readonly vocabSize: number;
  /**
   * Compiles `options.constraint`, where there is one, so that it is at hand.
   * @throws CutlayerError INVALID_ARGUMENT naming keyword and JSON pointer, LIMIT_EXCEEDED
   */
  checkConstraint(options: ContinuationOptions): Promise<void>;
  /** A text's ids, as of the prompt of a record. */
  promptIds(text: string): readonly number[];
  /** A rendered conversation's ids. */
  encode(text: string): readonly number[];
  /** @throws CutlayerError INVALID_DATA (the template refuses the conversation) */
  render(conversation: Conversation): string;
  /** The template's source. */
  templateOf(conversation: Omit<Conversation, 'messages'>): string;
  /** The bytes of each token by itself. */
  bytesOf(ids: readonly number[]): readonly Uint8Array[];
  continueAll(prompts: readonly ContinuedPrompt[], call: ModelCall): AsyncIterable<NumberedPiece>;
  /** Of every token but the first, which has undefined. @param top So many most probable ones. */
  scorePrompt(ids: readonly number[], top: number, call: ModelCall): Promise<readonly (ScoredToken | undefined)[]>;
  /** A vector of the hidden size for each sequence. */
  embed(sequences: readonly (readonly number[])[], pooling: 'mean' | 'last', call: ModelCall): Promise<readonly Float32Array[]>;
}

/** The models of an endpoint. */
export interface TextModels {
  list(): Promise<readonly ModelCard[]>;
  /** @throws CutlayerError NOT_FOUND naming those that there are; what opening an adapter throws */
  find(name: string): Promise<TextModel>;
}
