/**
 * `POST /v1/messages` and `/v1/messages/count_tokens`.
 * @see https://docs.claude.com/en/api/messages
 */
import type { ChatDelta, ChatFinish } from '../chat/chat-choice.js';
import { chatPrompt } from '../chat/chat-prompt.js';
import { type AskedAnswer, oneAnswer } from '../chat/one-answer.js';
import { heldOptions } from '../chat/text-format.js';
import type { Endpoint, EndpointCall, EndpointContext } from '../endpoint.js';
import { type FieldValues, readFields, required } from '../fields/field.js';
import { countFields, messageFields } from '../fields/message-fields.js';
import { continuationOptions } from '../fields/sampling-fields.js';
import { begun, EventStream } from '../http/event-stream.js';
import { badField } from '../http/problem.js';
import { newTokens, UsageCount } from '../model/answering.js';
import type { TextModel } from '../model/text-model.js';
import { MessageBlocks, type MessageEvent } from './message-blocks.js';
import { functionsOf, toolChoiceOf } from './message-tools.js';
import { turnMessages } from './message-turns.js';

/** Why an answer ended, in this API's words. */
const stopReasons: Readonly<Record<ChatFinish, string>> = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' };

interface MessageRequest extends AskedAnswer {
  readonly stream: boolean;
}

export const messages: Endpoint = async (context, call) => {
  const request = await readRequest(context, call);
  await (request.stream ? streamed : whole)(context, call, request);
};

async function readRequest(context: EndpointContext, { body }: EndpointCall): Promise<MessageRequest> {
  const values = readFields(messageFields, body, 'messages');
  const model = await context.models.find(required(values.model, 'model'));
  const asked = required(values.max_tokens, 'max_tokens');
  const { prompt, parallelCalls } = promptOf(model, values);
  const { stop_sequences: stop } = values;
  const { ids, form } = prompt;
  const wanted = { promptTokens: ids.length, param: 'messages', asked, askedBy: 'max_tokens', fallback: asked };
  const maxNewTokens = newTokens(model, wanted);
  const options = await heldOptions(model, { value: formatOf(values.output_config), param: 'output_config.format' }, prompt, {
    ...continuationOptions({ ...values, ...(stop !== undefined && { stop }) }, model.vocabSize, context.randomSeed),
    maxNewTokens,
  });
  return {
    model,
    prompts: [{ ids, options, number: 0 }],
    form,
    parallelCalls,
    count: new UsageCount(ids.length),
    task: values.task,
    stream: values.stream ?? false,
  };
}

/** `POST /v1/messages/count_tokens`: those of the prompt that the same message would have. */
export const countTokens: Endpoint = async ({ models }, { body, response }) => {
  const values = readFields(countFields, body, 'messages/count_tokens');
  const { prompt } = promptOf(await models.find(required(values.model, 'model')), values);
  formatOf(values.output_config);
  response.json({ input_tokens: prompt.ids.length });
};

function promptOf(model: TextModel, values: FieldValues<typeof countFields>) {
  const turns = turnMessages(required(values.messages, 'messages'), values.system);
  const { choice, parallelCalls } = toolChoiceOf(values.tool_choice);
  const tools = functionsOf(values.tools, choice !== undefined && choice !== 'auto');
  const { chat_template_kwargs } = values;
  return { prompt: chatPrompt(model, turns, { tools, tool_choice: choice, chat_template_kwargs }), parallelCalls };
}

function formatOf(config: Readonly<Record<string, unknown>> = {}): unknown {
  const { format, ...others } = config;
  const other = Object.keys(others).find((key) => others[key] !== null);
  if (other === undefined) return format;
  throw badField(`output_config.${other.slice(0, 60)}`, 'not supported here: the model has no such setting', 'unsupported_parameter');
}

/** The pieces of the answer; names of calls begin as this API's do. */
const piecesOf = (context: EndpointContext, call: EndpointCall, request: MessageRequest): AsyncGenerator<ChatDelta> =>
  oneAnswer(context, call, request, () => context.newId('toolu_'));

async function whole(context: EndpointContext, call: EndpointCall, request: MessageRequest): Promise<void> {
  const blocks = new MessageBlocks();
  let end: ChatDelta | undefined;
  for await (const delta of piecesOf(context, call, request)) {
    blocks.push(delta);
    end = delta;
  }
  const usage = usageOf(request);
  call.response.json({ ...headOf(context, request), content: blocks.blocks, ...endOf(end), usage });
}

async function streamed(context: EndpointContext, call: EndpointCall, request: MessageRequest): Promise<void> {
  const pieces = await begun(piecesOf(context, call, request));
  const events = new EventStream(call.response, call.signal);
  const send = (event: MessageEvent) => events.send(event, event.type);
  const blocks = new MessageBlocks();
  const usage = { ...usageOf(request), output_tokens: 0 };
  await send({ type: 'message_start', message: { ...headOf(context, request), content: [], ...endOf(undefined), usage } });
  let end: ChatDelta | undefined;
  for await (const delta of pieces) {
    for (const event of blocks.push(delta)) await send(event);
    end = delta;
  }
  await send({ type: 'message_delta', delta: endOf(end), usage: usageOf(request) });
  await send({ type: 'message_stop' });
  events.end();
}

const headOf = (context: EndpointContext, { model }: MessageRequest) => ({
  id: context.newId('msg_'),
  type: 'message',
  role: 'assistant',
  model: model.card.id,
});

function endOf(delta: ChatDelta | undefined) {
  const { finish, stop } = delta ?? {};
  if (finish === undefined) return { stop_reason: null, stop_sequence: null };
  if (finish === 'stop' && stop !== undefined) return { stop_reason: 'stop_sequence', stop_sequence: stop };
  return { stop_reason: stopReasons[finish], stop_sequence: null };
}

function usageOf({ count }: MessageRequest) {
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = count.usage;
  return { input_tokens, output_tokens, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
}
