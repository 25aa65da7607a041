/** Fields of `POST /v1/messages`. @see https://docs.claude.com/en/api/messages */
import { z } from 'zod';
import { commonFields, toolFields } from './chat-fields.js';
import { exact, extension, honoured, ignored, refused } from './field.js';
import { extendedFields, samplingFields } from './sampling-fields.js';
import { anyObject, listOf, says, text, truth, wholeBetween } from './values.js';

const { temperature, top_p, seed, logit_bias, presence_penalty, frequency_penalty } = samplingFields;
const { top_k, ...furtherFields } = extendedFields;
const beyond = { extension: true } as const;

export const messageFields = {
  model: commonFields.model,
  messages: exact(
    honoured(
      "turns of user and assistant: text, `tool_use` and `tool_result` blocks; `thinking` of earlier turns is left out; the last turn is the user's",
      z.array(z.unknown(), says('a list of messages')),
    ),
  ),
  system: exact(honoured('a text, or blocks of text', z.union([text, z.array(z.unknown())], says('a text or a list of blocks')))),
  max_tokens: honoured('longest answer in tokens; required', wholeBetween(1, 10_000_000)),
  stop_sequences: honoured('up to 64; the answer ends before one, and `stop_sequence` names it', listOf(text, 'a list of texts', 64)),
  stream: honoured('server-sent events', truth),
  temperature,
  top_p,
  top_k: { ...honoured(top_k.says, top_k.schema) },
  tools: exact(
    honoured(
      "tools of your own; `strict` with `tool_choice` of `any` or `tool`; a server's tools are refused by name",
      toolFields.tools.schema,
    ),
  ),
  tool_choice: honoured(
    '`auto`, `none`, `any` or `tool`; the last two hold the answer to one call with arguments that fit; `disable_parallel_tool_use` ends the answer after its first call',
    anyObject,
  ),
  output_config: honoured('`format` is a `json_schema`, as `response_format` of chat; `effort` and `task_budget` are refused', anyObject),
  metadata: ignored('no account is kept here'),
  service_tier: ignored('there is one tier'),
  cache_control: ignored('a hint, here and in blocks'),
  user_profile_id: ignored('no account is kept here'),
  workspace_id: ignored('no account is kept here'),
  diagnostics: ignored('nothing is recorded for one'),
  seed: { ...seed, ...beyond },
  logit_bias: { ...logit_bias, ...beyond },
  presence_penalty: { ...presence_penalty, ...beyond },
  frequency_penalty: { ...frequency_penalty, ...beyond },
  ...furtherFields,
  chat_template_kwargs: exact(extension('further values of the template, such as `enable_thinking`', anyObject)),
  thinking: refused('write chat_template_kwargs, where the template has such a value', z.looseObject({ type: z.literal('disabled') })),
  container: refused('no tool runs here'),
  mcp_servers: refused('no tool runs here', z.tuple([])),
  context_management: refused('a conversation that is too long is refused'),
  output_format: refused('write output_config.format'),
  inference_geo: refused('the backbone runs where the vendor has it'),
  speed: refused('there is one speed', z.literal('standard')),
};

const { model, messages, system, tools, tool_choice, output_config, cache_control, user_profile_id, workspace_id } = messageFields;
const { chat_template_kwargs, thinking, mcp_servers, context_management, output_format, speed } = messageFields;

/** Of `POST /v1/messages/count_tokens`: those that may change the prompt. */
export const countFields = {
  ...{ model, messages, system, tools, tool_choice, output_config, cache_control, user_profile_id, workspace_id },
  ...{ chat_template_kwargs, thinking, mcp_servers, context_management, output_format, speed },
};
