/** `POST /v1/chat/completions`. @see https://platform.openai.com/docs/api-reference/chat */
import type { Endpoint, EndpointCall, EndpointContext } from '../endpoint.js';
import { chatFields } from '../fields/chat-fields.js';
import { readFields, required } from '../fields/field.js';
import { continuationOptions } from '../fields/sampling-fields.js';
import { begun, EventStream } from '../http/event-stream.js';
import { badField } from '../http/problem.js';
import { answersTo, checkLogprobs, fingerprint, newTokens, UsageCount } from '../model/answering.js';
import type { ContinuedPrompt, TextModel } from '../model/text-model.js';
import { TokenTexts } from '../model/token-texts.js';
import { checkFunctions } from '../tools/request-tools.js';
import type { ToolForm } from '../tools/tool-form.js';
import { ChatChoice, type ChatDelta, type ChatFinish, type ChatLogprob, type NamedCall } from './chat-choice.js';
import { chatPrompt, requestMessages } from './chat-prompt.js';
import { heldOptions } from './text-format.js';

/** A request, read and checked. */
interface ChatRequest {
  readonly model: TextModel;
  readonly prompts: readonly ContinuedPrompt[];
  readonly count: UsageCount;
  readonly task: string | undefined;
  readonly form: ToolForm | undefined;
  readonly parallelCalls: boolean;
  readonly logprobs: boolean;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

export const chatCompletions: Endpoint = async (context, call) => {
  const request = await readRequest(context, call);
  const head = {
    id: context.newId('chatcmpl-'),
    created: Math.floor(context.now() / 1000),
    model: request.model.card.id,
    system_fingerprint: fingerprint(request.model),
  };
  await (request.stream ? streamed : whole)(context, call, request, head);
};

async function readRequest(context: EndpointContext, { body }: EndpointCall): Promise<ChatRequest> {
  const values = readFields(chatFields, body, 'chat completions');
  const model = await context.models.find(required(values.model, 'model'));
  checkFunctions(values.tools ?? [], values.tool_choice);
  const prompt = chatPrompt(model, requestMessages(required(values.messages, 'messages')), values);
  const { ids, form } = prompt;
  const { n = 1, stream = false, logprobs = false, top_logprobs: top = 0 } = values;
  if (top > 0 && !logprobs) throw badField('top_logprobs', 'expected logprobs: true beside it');
  if (values.stream_options !== undefined && !stream) throw badField('stream_options', 'expected stream: true beside it');
  const maxNewTokens = newTokens(model, {
    promptTokens: ids.length,
    param: 'messages',
    asked: values.max_completion_tokens ?? values.max_tokens,
    askedBy: values.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens',
    fallback: context.maxNewTokens,
  });
  const topLogprobs = Math.min(top, model.vocabSize);
  checkLogprobs('top_logprobs', topLogprobs, n * maxNewTokens);
  const field = { value: values.response_format, param: 'response_format', schemaIn: 'json_schema' } as const;
  const options = await heldOptions(model, field, prompt, {
    ...continuationOptions(values, model.vocabSize, context.randomSeed),
    maxNewTokens,
    topLogprobs: logprobs ? topLogprobs : undefined,
  });
  return {
    model,
    prompts: Array.from({ length: n }, (_, number) => ({ ids, options, number })),
    count: new UsageCount(ids.length),
    task: values.task,
    form,
    parallelCalls: values.parallel_tool_calls ?? true,
    logprobs,
    stream,
    includeUsage: values.stream_options?.include_usage ?? false,
  };
}

/** Each piece of an answer with its index, until all have ended. */
async function* deltas(
  context: EndpointContext,
  call: EndpointCall,
  request: ChatRequest,
): AsyncGenerator<ChatDelta & { readonly index: number }> {
  const { model, prompts, form, parallelCalls, logprobs } = request;
  const texts = logprobs ? new TokenTexts(model) : undefined;
  const choices = prompts.map(() => new ChatChoice({ form, parallelCalls, texts, newId: context.newId }));
  for await (const piece of answersTo(context, call, model, request)) {
    const choice = choices[piece.index]!;
    if (choice.ended) continue;
    yield { index: piece.index, ...choice.push(piece) };
    if (choices.every(({ ended }) => ended)) return;
  }
}

async function whole(context: EndpointContext, call: EndpointCall, request: ChatRequest, head: object): Promise<void> {
  const answers = request.prompts.map(() => ({
    text: '',
    calls: [] as NamedCall[],
    logprobs: [] as ChatLogprob[],
    finish: 'length' as ChatFinish,
  }));
  for await (const { index, text, calls, logprobs, finish } of deltas(context, call, request)) {
    const answer = answers[index]!;
    answer.text += text;
    answer.calls.push(...calls);
    answer.logprobs.push(...logprobs);
    answer.finish = finish ?? answer.finish;
  }
  call.response.json({
    ...head,
    object: 'chat.completion',
    choices: answers.map(({ text, calls, logprobs, finish }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: text === '' && calls.length > 0 ? null : text,
        refusal: null,
        ...(calls.length > 0 && { tool_calls: calls.map(shownCall) }),
      },
      logprobs: request.logprobs ? { content: logprobs, refusal: null } : null,
      finish_reason: finish,
    })),
    usage: request.count.usage,
  });
}

async function streamed(context: EndpointContext, call: EndpointCall, request: ChatRequest, head: object): Promise<void> {
  const answers = await begun(deltas(context, call, request));
  const usage = request.includeUsage ? { usage: null } : {};
  const chunk = (index: number, delta: object, more: object = {}) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, logprobs: null, finish_reason: null, ...more }],
    ...usage,
  });
  const events = new EventStream(call.response, call.signal);
  for (const index of request.prompts.keys()) await events.send(chunk(index, { role: 'assistant', content: '', refusal: null }));
  const called = request.prompts.map(() => 0);
  for await (const { index, text, calls, logprobs, finish } of answers) {
    const scores = logprobs.length > 0 ? { logprobs: { content: logprobs, refusal: null } } : {};
    if (text !== '' || logprobs.length > 0) await events.send(chunk(index, { content: text }, scores));
    for (const own of calls) {
      await events.send(chunk(index, { tool_calls: [{ index: called[index]!, ...shownCall(own) }] }));
      called[index]! += 1;
    }
    if (finish !== undefined) await events.send(chunk(index, {}, { finish_reason: finish }));
  }
  if (request.includeUsage) await events.send({ ...head, object: 'chat.completion.chunk', choices: [], usage: request.count.usage });
  await events.send('[DONE]');
  events.end();
}

const shownCall = ({ id, name, arguments: given }: NamedCall) => ({ id, type: 'function', function: { name, arguments: given } });
