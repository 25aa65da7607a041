/** Fields of `POST /v1/chat/completions`. */
import { z } from 'zod';
import { exact, extension, honoured, ignored, refused } from './field.js';
import { samplingFields } from './sampling-fields.js';
import { anyObject, listOf, says, text, truth, wholeBetween } from './values.js';

/** Fields that every generating endpoint has beside the sampler's. */
export const commonFields = {
  model: honoured('a name of `/v1/models`', text),
  user: ignored('no account is kept here'),
  metadata: ignored('of stored answers of OpenAI'),
  safety_identifier: ignored('no account is kept here'),
  prompt_cache_key: ignored('a hint'),
  prompt_cache_retention: ignored('a hint'),
  prompt_cache_options: ignored('a hint'),
  service_tier: ignored('there is one tier'),
};

export const streamFields = {
  stream: honoured('server-sent events', truth),
  stream_options: honoured(
    '`include_usage`: the last chunk counts tokens; `include_obfuscation` has no effect',
    z.strictObject({ include_usage: truth.nullish(), include_obfuscation: truth.nullish() }, says('an object of include_usage')),
  ),
};

export const toolFields = {
  tools: exact(
    honoured(
      'functions, through the chat template; calls are parsed back; `strict` is refused beside `auto`',
      listOf(anyObject, 'a list of tools', 128),
    ),
  ),
  tool_choice: honoured(
    '`auto`, `none`, `required` or a named function; the last two hold the answer to one call with arguments that fit',
    z.unknown(),
  ),
  parallel_tool_calls: honoured('`false`: the answer ends after the first call', truth),
};

export const chatFields = {
  ...commonFields,
  messages: exact(
    honoured('through the chat template, every key of a message, as records of training', z.array(z.unknown(), says('a list of messages'))),
  ),
  ...streamFields,
  ...samplingFields,
  max_completion_tokens: honoured('longest answer in tokens (default: `--max-new-tokens`)', wholeBetween(1, 10_000_000)),
  max_tokens: honoured('the same; counts where the newer name is absent', wholeBetween(1, 10_000_000)),
  logprobs: honoured('of each token, under the model before penalties and temperature', truth),
  top_logprobs: honoured('up to the whole vocabulary', wholeBetween(0, 2 ** 21)),
  ...toolFields,
  response_format: honoured(
    '`text`, `json_object` or `json_schema`, enforced with `strict` or without; a keyword that cannot be is refused ([client.md](client.md))',
    z.unknown(),
  ),
  chat_template_kwargs: exact(extension('further values of the template, such as `enable_thinking`', anyObject)),
  documents: exact(extension('of the template', listOf(anyObject, 'a list of objects', 1024))),
  store: refused('answers of this endpoint are not stored', z.literal(false)),
  functions: refused('write tools'),
  function_call: refused('write tool_choice'),
  modalities: refused('the model writes text', z.tuple([z.literal('text')])),
  audio: refused('the model writes text'),
  prediction: refused('there is no predicted output'),
  reasoning_effort: refused('write chat_template_kwargs, where the template has such a value'),
  verbosity: refused('the model has no such setting'),
  web_search_options: refused('no search is done'),
  moderation: refused('no moderation is done'),
};
