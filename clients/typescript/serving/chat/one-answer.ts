/** The pieces of one answer to a conversation, for the endpoints that give one answer a request. */
import type { EndpointCall, EndpointContext } from '../endpoint.js';
import { answersTo, type UsageCount } from '../model/answering.js';
import type { ContinuedPrompt, TextModel } from '../model/text-model.js';
import type { ToolForm } from '../tools/tool-form.js';
import { ChatChoice, type ChatDelta } from './chat-choice.js';

/** A conversation that is to be answered. */
export interface AskedAnswer {
  readonly model: TextModel;
  /** One. */
  readonly prompts: readonly ContinuedPrompt[];
  readonly form: ToolForm | undefined;
  /** False: the answer ends after its first call. */
  readonly parallelCalls: boolean;
  readonly count: UsageCount;
  readonly task: string | undefined;
}

/** @param newId Makes names of calls. @throws CutlayerError the model's; CANCELLED */
export async function* oneAnswer(
  context: EndpointContext,
  call: EndpointCall,
  asked: AskedAnswer,
  newId: (prefix: string) => string = context.newId,
): AsyncGenerator<ChatDelta> {
  const choice = new ChatChoice({ form: asked.form, parallelCalls: asked.parallelCalls, texts: undefined, newId });
  for await (const piece of answersTo(context, call, asked.model, asked)) {
    yield choice.push(piece);
    if (choice.ended) return;
  }
}
