/** `POST /v1/responses`. @see https://platform.openai.com/docs/api-reference/responses */
import { plainNumbers } from '../../data/exact-numbers.js';
import type { ChatMessage } from '../../data/messages.js';
import { chatPrompt } from '../chat/chat-prompt.js';
import { type AskedAnswer, oneAnswer } from '../chat/one-answer.js';
import { heldOptions } from '../chat/text-format.js';
import type { Endpoint, EndpointCall, EndpointContext } from '../endpoint.js';
import { type FieldValues, readFields, required } from '../fields/field.js';
import { responseFields } from '../fields/response-fields.js';
import { continuationOptions } from '../fields/sampling-fields.js';
import { EventStream } from '../http/event-stream.js';
import { badField, problemOf } from '../http/problem.js';
import { newTokens, UsageCount } from '../model/answering.js';
import { checkFunctions } from '../tools/request-tools.js';
import { inputMessages, withInstructions } from './input-items.js';
import { type OutputItem, type ResponseEvent, ResponseItems } from './response-events.js';

type Values = FieldValues<typeof responseFields>;

/** A request, read and checked. */
interface ResponseRequest extends AskedAnswer {
  readonly values: Values;
  /** The conversation without instructions. */
  readonly messages: readonly ChatMessage[];
}

export const responses: Endpoint = async (context, call) => {
  const request = readRequest(context, call);
  const { values } = await request;
  await (values.stream === true ? streamed : whole)(context, call, await request);
};

async function readRequest(context: EndpointContext, { body }: EndpointCall): Promise<ResponseRequest> {
  const values = readFields(responseFields, body, 'responses');
  const model = await context.models.find(required(values.model, 'model'));
  const { format, verbosity } = (values.text ?? {}) as { readonly format?: unknown; readonly verbosity?: unknown };
  if (verbosity !== undefined && verbosity !== null)
    throw badField('text.verbosity', 'not supported here: the model has no such setting', 'unsupported_parameter');
  const { previous_response_id: previous } = values;
  const before = previous === undefined ? { messages: [] } : context.responses.get(previous);
  if (before === undefined)
    throw badField(
      'previous_response_id',
      `${previous?.slice(0, 80)} is not in this process's memory, which keeps the newest answers; send the conversation as input`,
      'previous_response_not_found',
    );
  const messages = [...before.messages, ...inputMessages(required(values.input, 'input'))];
  const tools = functionsOf(values);
  checkFunctions(tools, values.tool_choice);
  const prompt = chatPrompt(model, withInstructions(values.instructions, messages), { ...values, tools });
  const { ids, form } = prompt;
  const maxNewTokens = newTokens(model, {
    promptTokens: ids.length,
    param: 'input',
    asked: values.max_output_tokens,
    askedBy: 'max_output_tokens',
    fallback: context.maxNewTokens,
  });
  const options = await heldOptions(model, { value: format, param: 'text.format' }, prompt, {
    ...continuationOptions(values, model.vocabSize, context.randomSeed),
    maxNewTokens,
  });
  return {
    model,
    values,
    messages,
    prompts: [{ ids, options, number: 0 }],
    form,
    parallelCalls: values.parallel_tool_calls ?? true,
    count: new UsageCount(ids.length),
    task: values.task,
  };
}

/** Functions in the form that templates know; tools of other types are skipped. */
function functionsOf({ tools = [] }: Values): readonly Readonly<Record<string, unknown>>[] {
  return tools.flatMap(({ type, ...own }) => (type === 'function' ? [{ type, function: own }] : []));
}

/** Runs an answer; its events go to `send` as they come. @returns the whole response */
async function run(
  context: EndpointContext,
  call: EndpointCall,
  request: ResponseRequest,
  head: ResponseHead,
  send: (event: ResponseEvent) => Promise<void>,
): Promise<object> {
  const items = new ResponseItems(context.newId);
  let cut = false;
  for await (const delta of oneAnswer(context, call, request)) {
    cut = delta.finish === 'length';
    for (const event of items.push(delta)) await send(event);
  }
  const { prompt_tokens: input_tokens, completion_tokens: output_tokens, total_tokens } = request.count.usage;
  const response = {
    ...head,
    status: cut ? 'incomplete' : 'completed',
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    output: items.items,
    usage: {
      input_tokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens,
    },
  };
  if (request.values.store ?? true)
    context.responses.put(head.id, { response, messages: [...request.messages, ...answerMessages(items.items)] });
  return response;
}

/** What a later request has of this answer. */
const answerMessages = (items: readonly OutputItem[]): readonly ChatMessage[] => inputMessages(items);

async function whole(context: EndpointContext, call: EndpointCall, request: ResponseRequest): Promise<void> {
  const response = await run(context, call, request, headOf(context, request), () => Promise.resolve());
  call.response.json(response);
}

async function streamed(context: EndpointContext, call: EndpointCall, request: ResponseRequest): Promise<void> {
  await call.place.turn(call.signal);
  const head = headOf(context, request);
  const events = new EventStream(call.response, call.signal);
  let number = 0;
  const send = (event: ResponseEvent) => events.send({ ...event, sequence_number: number++ }, event.type);
  const begun = { ...head, status: 'in_progress' };
  await send({ type: 'response.created', response: begun });
  await send({ type: 'response.in_progress', response: begun });
  try {
    const response = await run(context, call, request, head, send);
    await send({ type: 'status' in response && response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response });
  } catch (caught) {
    const { error } = problemOf(caught);
    if (call.signal.aborted) throw caught;
    await send({ type: 'response.failed', response: { ...begun, status: 'failed', error: { code: error.code, message: error.message } } });
  }
  events.end();
}

type ResponseHead = ReturnType<typeof headOf>;

/** What a response says of its request. */
function headOf(context: EndpointContext, { model, values }: ResponseRequest) {
  return {
    id: context.newId('resp_'),
    object: 'response',
    created_at: Math.floor(context.now() / 1000),
    error: null,
    incomplete_details: null as object | null,
    instructions: values.instructions ?? null,
    max_output_tokens: values.max_output_tokens ?? null,
    metadata: values.metadata ?? {},
    model: model.card.id,
    output: [] as readonly OutputItem[],
    parallel_tool_calls: values.parallel_tool_calls ?? true,
    previous_response_id: values.previous_response_id ?? null,
    store: values.store ?? true,
    temperature: values.temperature ?? 1,
    text: { format: { type: 'text' } },
    tool_choice: values.tool_choice ?? 'auto',
    tools: (values.tools ?? []).filter(({ type }) => type === 'function').map(plainNumbers),
    top_p: values.top_p ?? 1,
    truncation: 'disabled',
    usage: null as object | null,
  };
}
