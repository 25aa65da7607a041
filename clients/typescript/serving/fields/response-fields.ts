/** Fields of `POST /v1/responses`. */
import { z } from 'zod';
import { commonFields, streamFields, toolFields } from './chat-fields.js';
import { exact, extension, honoured, ignored, refused } from './field.js';
import { extendedFields, samplingFields } from './sampling-fields.js';
import { anyObject, says, text, truth, wholeBetween } from './values.js';

const { temperature, top_p, seed, stop, logit_bias, presence_penalty, frequency_penalty } = samplingFields;
const beyond = { extension: true } as const;

export const responseFields = {
  ...commonFields,
  metadata: honoured('given back with the answer', anyObject),
  input: exact(
    honoured(
      'a text, or items: messages of text, function calls and their outputs',
      z.union([text, z.array(z.unknown())], says('a text or a list of items')),
    ),
  ),
  instructions: honoured('a system message before the conversation', text),
  previous_response_id: honoured('an answer in the memory of this process, with its conversation', text),
  store: honoured('default true: the answer is kept in memory, for `previous_response_id`', truth),
  stream: streamFields.stream,
  stream_options: honoured(
    '`include_obfuscation` has no effect',
    z.strictObject({ include_obfuscation: truth.nullish() }, says('an object')),
  ),
  temperature,
  top_p,
  max_output_tokens: honoured('longest answer in tokens (default: `--max-new-tokens`)', wholeBetween(1, 10_000_000)),
  ...toolFields,
  tools: exact(honoured('functions; tools of other types are skipped; `strict` is refused beside `auto`', toolFields.tools.schema)),
  text: honoured('`format` is `text`, `json_object` or `json_schema`, as `response_format` of chat; `verbosity` is refused', z.unknown()),
  presence_penalty: { ...presence_penalty, ...beyond },
  frequency_penalty: { ...frequency_penalty, ...beyond },
  seed: { ...seed, ...beyond },
  stop: { ...stop, ...beyond },
  logit_bias: { ...logit_bias, ...beyond },
  ...extendedFields,
  chat_template_kwargs: exact(extension('further values of the template, such as `enable_thinking`', anyObject)),
  truncation: refused('a conversation that is too long is refused', z.literal('disabled')),
  background: refused('an answer is made while its request is open', z.literal(false)),
  conversation: refused('give previous_response_id'),
  context_management: refused('a conversation that is too long is refused'),
  prompt: refused('there are no stored prompts'),
  top_logprobs: refused('ask chat completions for log probabilities', z.literal(0)),
  max_tool_calls: refused('no tool runs here'),
  moderation: refused('no moderation is done'),
  include: ignored('encrypted reasoning, sources and images: there are none'),
  client_metadata: ignored("a program's own marks, such as those of the Codex CLI"),
  reasoning: ignored('the model has no setting of effort; its whole text is the answer'),
};
