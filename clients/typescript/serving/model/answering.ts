/** Runs prompts through a model when their request's turn comes, and counts their tokens. */
import type { NumberedPiece } from '../../inference/generate.js';
import type { EndpointCall, EndpointContext } from '../endpoint.js';
import { badField } from '../http/problem.js';
import type { ContinuedPrompt, TextModel } from './text-model.js';

/** Tokens of an answer, as OpenAI's API counts them. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** Most tokens whose log probabilities one request may ask for. */
const MOST_LOGPROBS = 2_000_000;

/** Counts tokens of a request. */
export class UsageCount {
  readonly #promptTokens: number;
  #completionTokens = 0;

  constructor(promptTokens: number) {
    this.#promptTokens = promptTokens;
  }

  add(piece: NumberedPiece): void {
    if (piece.token !== undefined) this.#completionTokens += 1;
  }

  get usage(): Usage {
    const [prompt_tokens, completion_tokens] = [this.#promptTokens, this.#completionTokens];
    return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  }
}

/** The pieces of some answers, from their turn on. @throws CutlayerError the model's; CANCELLED */
export async function* answersTo(
  { metrics }: EndpointContext,
  { signal, place }: EndpointCall,
  model: TextModel,
  { prompts, task, count }: { readonly prompts: readonly ContinuedPrompt[]; readonly task: string | undefined; readonly count: UsageCount },
): AsyncGenerator<NumberedPiece> {
  await place.turn(signal);
  const begin = performance.now();
  let first = true;
  try {
    for await (const piece of model.continueAll(prompts, { task, signal })) {
      if (first && piece.token !== undefined) {
        metrics.observeFirstToken(model.card.id, (performance.now() - begin) / 1000);
        first = false;
      }
      count.add(piece);
      yield piece;
    }
  } finally {
    const { prompt_tokens: promptTokens, completion_tokens: completionTokens } = count.usage;
    metrics.countTokens({ model: model.card.id, promptTokens, completionTokens });
  }
}

/** A prompt's length, what it is called, and how long its answer may be. */
export interface WantedLength {
  readonly promptTokens: number;
  /** The field of the prompt. */
  readonly param: string;
  readonly asked: number | undefined;
  /** The field of `asked`. */
  readonly askedBy: string;
  readonly fallback: number;
}

/**
 * The longest answer that fits.
 * @throws CutlayerError INVALID_ARGUMENT saying by how much prompt and answer are too long
 */
export function newTokens(model: TextModel, { promptTokens, param, asked, askedBy, fallback }: WantedLength): number {
  const { maxLength, virtualTokens } = model;
  const room = maxLength - promptTokens;
  const limit = `the model has ${maxLength} positions${virtualTokens > 0 ? ` beside the adapter's ${virtualTokens}` : ''}`;
  if (promptTokens === 0) throw badField(param, 'expected a prompt of at least one token, got none');
  if (room <= 0) {
    const beyond = `${promptTokens} tokens of prompt, and room for an answer, are ${1 - room} more than fit`;
    throw badField(param, `${beyond}; ${limit}: shorten the prompt`, 'context_length_exceeded');
  }
  if (asked !== undefined && asked > room) {
    const sum = `${promptTokens} tokens of prompt and ${asked} of answer are ${asked - room} more than fit`;
    throw badField(askedBy, `${sum}; ${limit}: ask for at most ${room}`, 'context_length_exceeded');
  }
  return asked ?? Math.min(room, fallback);
}

/** @throws CutlayerError INVALID_ARGUMENT when an answer would be too large to send */
export function checkLogprobs(param: string, top: number, tokens: number): void {
  if (top * tokens > MOST_LOGPROBS)
    throw badField(
      param,
      `${top} log probabilities for each of ${tokens} tokens; at most ${MOST_LOGPROBS} in all: ask for fewer, or fewer tokens`,
    );
}

/** OpenAI's name of what made an answer: the backbone. */
export function fingerprint({ card }: TextModel): string {
  return `backbone_${card.backboneDigest.slice(0, 12)}`;
}
