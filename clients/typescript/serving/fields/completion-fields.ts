/** Fields of `POST /v1/completions`. */
import { z } from 'zod';
import { commonFields, streamFields } from './chat-fields.js';
import { honoured, refused } from './field.js';
import { samplingFields } from './sampling-fields.js';
import { listOf, says, text, truth, wholeBetween } from './values.js';

/** Most prompts of a request. */
export const MOST_PROMPTS = 64;

const ids = listOf(wholeBetween(0, 2 ** 31), 'a list of token ids', 1_000_000);

export const completionFields = {
  ...commonFields,
  prompt: honoured(
    'a text, up to 64 texts, token ids, or lists of them; a text is tokenized as the prompt of a record',
    z.union(
      [text, ids, listOf(text, 'texts', MOST_PROMPTS), listOf(ids, 'lists of token ids', MOST_PROMPTS)],
      says('a text, a list of texts, a list of token ids, or a list of such lists'),
    ),
  ),
  ...streamFields,
  ...samplingFields,
  max_tokens: honoured('longest answer in tokens (default 16, as in the API); 0 with `echo`', wholeBetween(0, 10_000_000)),
  echo: honoured('the prompt comes before the answer', truth),
  logprobs: honoured(
    'so many most probable tokens for each token, up to the whole vocabulary; a stop token is among them, without text',
    wholeBetween(0, 2 ** 21),
  ),
  best_of: refused('give n, and choose among the answers', z.literal(1)),
  suffix: refused('the model continues a prompt only', z.literal('')),
};
