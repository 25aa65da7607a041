/** From a request's messages and tools to a prompt. */
import { CutlayerError } from '../../../../src/errors.js';
import { parseExactJson } from '../../data/exact-numbers.js';
import { type ChatMessage, type Conversation, parseMessages } from '../../data/messages.js';
import type { Constraint } from '../../inference/grammar/constraint.js';
import { badField } from '../http/problem.js';
import type { TextModel } from '../model/text-model.js';
import { requestTools, type ToolValues } from '../tools/request-tools.js';
import type { ToolForm } from '../tools/tool-form.js';

/** A prompt, and how calls are read from its answer. */
export interface ChatPrompt {
  readonly ids: readonly number[];
  readonly form: ToolForm | undefined;
  /** The call that the answer has to be. */
  readonly forced: Constraint | undefined;
}

/** What of a request reaches the chat template. */
export interface PromptValues extends ToolValues {
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>> | undefined;
  readonly documents?: readonly object[] | undefined;
}

/**
 * Renders a conversation with its generation prompt, as `client generate --messages` does.
 * @throws CutlayerError INVALID_ARGUMENT (tools), INVALID_DATA (the template refuses it)
 */
export function chatPrompt(model: TextModel, messages: readonly ChatMessage[], values: PromptValues): ChatPrompt {
  const { chat_template_kwargs, documents } = values;
  const others: Omit<Conversation, 'messages' | 'tools'> = {
    ...(chat_template_kwargs !== undefined && { chat_template_kwargs }),
    ...(documents !== undefined && { documents }),
  };
  const { tools, form, forced } = requestTools(values, model, others);
  const text = model.render({ messages, ...others, ...(tools !== undefined && { tools }) });
  if (tools !== undefined && text === model.render({ messages, ...others }))
    throw badField('tools', "the checkpoint's chat template leaves tools out; this model was not trained to call", 'unsupported_parameter');
  return { ids: model.encode(text), form, forced };
}

/** The messages of a request. @throws CutlayerError INVALID_DATA naming the message */
export function requestMessages(value: unknown): readonly ChatMessage[] {
  try {
    return parseMessages(value, 'request').map(withParsedArguments);
  } catch (caught) {
    const { code, message, details } = CutlayerError.from(caught);
    throw new CutlayerError(code, message.replace(/^request: /, ''), { details: { param: 'messages', ...details } });
  }
}

/** OpenAI's API has a call's arguments as a text of JSON; templates take the object. */
function withParsedArguments(message: ChatMessage, at: number): ChatMessage {
  if (!Array.isArray(message.tool_calls)) return message;
  const calls = message.tool_calls.map((call: unknown, which) => {
    const own = (call as { readonly function?: { readonly arguments?: unknown } } | null)?.function;
    if (typeof own?.arguments !== 'string') return call;
    try {
      return { ...(call as object), function: { ...own, arguments: parseExactJson(own.arguments === '' ? '{}' : own.arguments) } };
    } catch {
      throw badField(`messages[${at}].tool_calls[${which}].function.arguments`, 'expected a text of JSON');
    }
  });
  return { ...message, tool_calls: calls };
}
