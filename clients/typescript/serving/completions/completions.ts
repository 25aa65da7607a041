/** `POST /v1/completions`. @see https://platform.openai.com/docs/api-reference/completions */
import type { Finish, ScoredToken } from '../../inference/continuation.js';
import type { Endpoint, EndpointCall, EndpointContext } from '../endpoint.js';
import { completionFields } from '../fields/completion-fields.js';
import { readFields, required } from '../fields/field.js';
import { continuationOptions } from '../fields/sampling-fields.js';
import { begun, EventStream } from '../http/event-stream.js';
import { badField } from '../http/problem.js';
import { answersTo, checkLogprobs, fingerprint, newTokens, UsageCount } from '../model/answering.js';
import type { ContinuedPrompt, TextModel } from '../model/text-model.js';
import { TokenTexts } from '../model/token-texts.js';
import { type CompletionLogprobs, CompletionScores } from './completion-logprobs.js';
import { promptsOf } from './prompts.js';

/** Most answers of a request, of all prompts. */
const MOST_ANSWERS = 128;
/** Tokens of an answer where a request does not say, as in OpenAI's API. */
const DEFAULT_TOKENS = 16;

/** A request, read and checked. */
interface CompletionRequest {
  readonly model: TextModel;
  readonly prompts: readonly ContinuedPrompt[];
  /** The prompt of each answer as text, where it is echoed. */
  readonly echoes: readonly string[] | undefined;
  readonly count: UsageCount;
  readonly task: string | undefined;
  /** How many most probable tokens; undefined: no log probabilities. */
  readonly logprobs: number | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** What a piece adds to an answer. */
interface CompletionDelta {
  readonly index: number;
  readonly text: string;
  readonly logprobs: CompletionLogprobs | null;
  readonly finish?: Finish;
}

export const completions: Endpoint = async (context, call) => {
  const request = await readRequest(context, call);
  const head = {
    id: context.newId('cmpl-'),
    object: 'text_completion',
    created: Math.floor(context.now() / 1000),
    model: request.model.card.id,
    system_fingerprint: fingerprint(request.model),
  };
  await (request.stream ? streamed : whole)(context, call, request, head);
};

async function readRequest(context: EndpointContext, { body }: EndpointCall): Promise<CompletionRequest> {
  const values = readFields(completionFields, body, 'completions');
  const model = await context.models.find(required(values.model, 'model'));
  const { n = 1, echo = false, stream = false, logprobs } = values;
  const prompts = promptsOf(required(values.prompt, 'prompt'), model, 'prompt');
  if (prompts.length * n > MOST_ANSWERS)
    throw badField('n', `expected at most ${MOST_ANSWERS} answers to all prompts, got ${prompts.length * n}`);
  if (values.stream_options !== undefined && !stream) throw badField('stream_options', 'expected stream: true beside it');
  const longest = prompts.reduce((most, { length }) => Math.max(most, length), 0);
  const sampling = continuationOptions(values, model.vocabSize, context.randomSeed);
  const asked = values.max_tokens;
  if (asked === 0 && !echo) throw badField('max_tokens', 'expected at least 1 without echo, got 0');
  const continued = prompts.flatMap((ids) => {
    const wanted = { promptTokens: ids.length, param: 'prompt', asked, askedBy: 'max_tokens', fallback: DEFAULT_TOKENS };
    const maxNewTokens = newTokens(model, wanted);
    const topLogprobs = logprobs === undefined ? undefined : Math.min(logprobs, model.vocabSize);
    const options = { ...sampling, maxNewTokens, topLogprobs };
    return Array.from({ length: n }, (_, number) => ({ ids, options, number }));
  });
  checkLogprobs('logprobs', logprobs ?? 0, continued.length * ((asked ?? DEFAULT_TOKENS) + (echo ? longest : 0)));
  return {
    model,
    prompts: continued,
    echoes: echo ? continued.map(({ ids }) => textOf(ids, model)) : undefined,
    count: new UsageCount(prompts.reduce((sum, { length }) => sum + length, 0)),
    task: values.task,
    logprobs,
    stream,
    includeUsage: values.stream_options?.include_usage ?? false,
  };
}

async function* deltas(context: EndpointContext, call: EndpointCall, request: CompletionRequest): AsyncGenerator<CompletionDelta> {
  const { model, prompts, echoes, logprobs, task } = request;
  const texts = new TokenTexts(model);
  const scores = prompts.map(() => new CompletionScores(texts));
  if (echoes !== undefined) {
    await call.place.turn(call.signal);
    for (const [index, { ids }] of prompts.entries()) {
      const scored = logprobs === undefined ? undefined : await model.scorePrompt(ids, logprobs, { task, signal: call.signal });
      const known = scored?.map((own, at) => own ?? { id: ids[at]! });
      yield { index, text: echoes[index]!, logprobs: known === undefined ? null : scores[index]!.of(known) };
    }
  }
  for await (const { index, token, stopToken = token, text, finish } of answersTo(context, call, model, request)) {
    // A stop token has a score and no text, as in the API: programs that score prompts count on it.
    const scored: readonly ScoredToken[] = logprobs === undefined || stopToken === undefined ? [] : [stopToken];
    yield {
      index,
      text,
      logprobs: logprobs === undefined ? null : scores[index]!.of(scored),
      ...(finish !== undefined && { finish }),
    };
  }
}

async function whole(context: EndpointContext, call: EndpointCall, request: CompletionRequest, head: object): Promise<void> {
  const answers = request.prompts.map(() => ({ text: '', logprobs: [] as CompletionLogprobs[], finish: 'length' as Finish }));
  for await (const { index, text, logprobs, finish } of deltas(context, call, request)) {
    const answer = answers[index]!;
    answer.text += text;
    if (logprobs !== null) answer.logprobs.push(logprobs);
    answer.finish = finish ?? answer.finish;
  }
  call.response.json({
    ...head,
    choices: answers.map(({ text, logprobs, finish }, index) => ({
      index,
      text,
      logprobs: request.logprobs === undefined ? null : joined(logprobs),
      finish_reason: finish,
    })),
    usage: request.count.usage,
  });
}

async function streamed(context: EndpointContext, call: EndpointCall, request: CompletionRequest, head: object): Promise<void> {
  const answers = await begun(deltas(context, call, request));
  const events = new EventStream(call.response, call.signal);
  const usage = request.includeUsage ? { usage: null } : {};
  for await (const { index, text, logprobs, finish } of answers) {
    if (text === '' && finish === undefined && (logprobs === null || logprobs.tokens.length === 0)) continue;
    await events.send({ ...head, choices: [{ index, text, logprobs, finish_reason: finish ?? null }], ...usage });
  }
  if (request.includeUsage) await events.send({ ...head, choices: [], usage: request.count.usage });
  await events.send('[DONE]');
  events.end();
}

function joined(all: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    tokens: all.flatMap(({ tokens }) => tokens),
    token_logprobs: all.flatMap(({ token_logprobs }) => token_logprobs),
    top_logprobs: all.flatMap(({ top_logprobs }) => top_logprobs),
    text_offset: all.flatMap(({ text_offset }) => text_offset),
  };
}

/** A prompt's tokens as text, special ones too. */
function textOf(ids: readonly number[], model: TextModel): string {
  return Buffer.concat([...model.bytesOf(ids)]).toString();
}
