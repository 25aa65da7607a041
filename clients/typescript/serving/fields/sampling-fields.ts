/** Fields that say how tokens are chosen and when an answer ends; alike at all endpoints. */
import { z } from 'zod';
import type { ContinuationOptions } from '../../inference/continuation.js';
import { badField } from '../http/problem.js';
import { extension, type FieldValues, honoured } from './field.js';
import { anyObject, between, listOf, MOST_ITEMS, numberWhere, says, share, text, wholeBetween } from './values.js';

/** Most stop strings of a request. */
const MOST_STOPS = 64;

/** Temperature and nucleus: the two that every endpoint has. */
export const drawingFields = {
  temperature: honoured('default 1, as in the API; 0 takes the most probable token', between(0, 100)),
  top_p: honoured("default: the model's, else 1", share),
};

/** Names beyond OpenAI's API. */
export const extendedFields = {
  top_k: extension(
    "draw from the k most probable tokens; 0 or -1: all (default: the model's, else all)",
    numberWhere('a whole number of -1 or more', (value) => Number.isSafeInteger(value) && value >= -1),
  ),
  min_p: extension('draw from tokens with this share of the largest probability', between(0, 1)),
  typical_p: extension('draw from the tokens of nearly expected information that hold this much', share),
  repetition_penalty: extension(
    "of tokens in prompt and answer (default: the model's, else 1)",
    numberWhere('a number above 0', (value) => value > 0),
  ),
  no_repeat_ngram_size: extension('no run of so many tokens comes twice', wholeBetween(0, 1024)),
  min_tokens: extension('no end before so many tokens', wholeBetween(0, 1_000_000)),
  stop_token_ids: extension('ids that end the answer', listOf(wholeBetween(0, 2 ** 31), 'a list of token ids', MOST_STOPS)),
  task: extension('the task, for an adapter with tasks', text),
};

export const samplingFields = {
  ...drawingFields,
  seed: honoured(
    'of the drawing; without it each request draws anew',
    numberWhere('a whole number', (value) => Number.isSafeInteger(value)),
  ),
  stop: honoured(
    'one string, or up to 64; the answer ends before it',
    z.union([text, listOf(text, 'a text or a list of texts', MOST_STOPS)], says('a text or a list of texts')),
  ),
  presence_penalty: honoured('of tokens of the answer', between(-100, 100)),
  frequency_penalty: honoured('of tokens of the answer', between(-100, 100)),
  logit_bias: honoured('numbers by token id', anyObject),
  n: honoured('answers to one prompt, at most 16', wholeBetween(1, 16)),
  ...extendedFields,
};

type SamplingValues = FieldValues<typeof samplingFields>;

/**
 * The sampler's settings that a request asks for.
 * @param randomSeed For a request without one.
 * @throws CutlayerError INVALID_ARGUMENT naming the field
 */
export function continuationOptions(values: SamplingValues, vocabSize: number, randomSeed: () => number): ContinuationOptions {
  const { stop, top_k: topK } = values;
  return {
    temperature: values.temperature ?? 1,
    topP: values.top_p,
    topK: topK === undefined ? undefined : Math.max(0, topK),
    minP: values.min_p,
    typicalP: values.typical_p,
    repetitionPenalty: values.repetition_penalty,
    noRepeatNgramSize: values.no_repeat_ngram_size,
    presencePenalty: values.presence_penalty,
    frequencyPenalty: values.frequency_penalty,
    minTokens: values.min_tokens,
    stopTokenIds: values.stop_token_ids,
    logitBias: values.logit_bias === undefined ? undefined : biasOf(values.logit_bias, vocabSize),
    stop: stop === undefined ? undefined : typeof stop === 'string' ? [stop] : stop,
    // The sampler takes whole numbers of 0 or more.
    seed: values.seed === undefined ? randomSeed() : Math.abs(values.seed),
  };
}

function biasOf(bias: Readonly<Record<string, unknown>>, vocabSize: number): ReadonlyMap<number, number> {
  const entries = Object.entries(bias);
  if (entries.length > MOST_ITEMS) throw badField('logit_bias', `expected at most ${MOST_ITEMS} tokens, got ${entries.length}`);
  return new Map(
    entries.map(([key, value]) => {
      const id = Number(key);
      if (!/^\d+$/.test(key) || id >= vocabSize)
        throw badField('logit_bias', `expected token ids from 0 to ${vocabSize - 1}, got ${JSON.stringify(key.slice(0, 40))}`);
      if (typeof value !== 'number' || !Number.isFinite(value)) throw badField('logit_bias', `expected a number for token ${id}`);
      return [id, value] as const;
    }),
  );
}
