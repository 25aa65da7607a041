/** From the items of `/v1/responses` to the messages of a chat template. */
import { parseExactJson, shownJson } from '../../data/exact-numbers.js';
import type { ChatMessage } from '../../data/messages.js';
import { badField } from '../http/problem.js';

type Item = Readonly<Record<string, unknown>>;

/** Kinds of text in the content of a message. */
const textParts: ReadonlySet<unknown> = new Set(['input_text', 'output_text', 'text']);

/** @throws CutlayerError INVALID_ARGUMENT naming the item */
export function inputMessages(input: string | readonly unknown[]): readonly ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const messages: ChatMessage[] = [];
  for (const [at, item] of input.entries()) {
    const where = `input[${at}]`;
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw badField(where, 'expected an object');
    addItem(messages, item as Item, where); // an object, by the test before
  }
  if (messages.length === 0) throw badField('input', 'expected at least one message');
  return messages;
}

function addItem(messages: ChatMessage[], item: Item, where: string): void {
  const { type = 'message' } = item;
  switch (type) {
    case 'message': {
      const { role } = item;
      if (role !== 'user' && role !== 'assistant' && role !== 'system' && role !== 'developer')
        throw badField(`${where}.role`, `expected user, assistant, system or developer, got ${shownJson(role)?.slice(0, 40) ?? 'nothing'}`);
      // Templates know system messages; developer is the newer name.
      messages.push({ role: role === 'developer' ? 'system' : role, content: textOf(item.content, `${where}.content`) });
      return;
    }
    case 'function_call': {
      const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: argumentsOf(item.arguments, where) } };
      const last = messages.at(-1);
      if (last?.role === 'assistant') messages[messages.length - 1] = { ...last, tool_calls: [...((last.tool_calls as []) ?? []), call] };
      else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
      return;
    }
    case 'function_call_output':
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: textOf(item.output, `${where}.output`) });
      return;
    case 'reasoning':
      return;
    default:
      throw badField(
        `${where}.type`,
        `expected message, function_call, function_call_output or reasoning, got ${shownJson(type)?.slice(0, 60)}`,
      );
  }
}

function textOf(content: unknown, where: string): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) throw badField(where, 'expected a text or a list of parts');
  return content
    .map((part: unknown, at) => {
      const { type, text } = (part ?? {}) as Item;
      if (textParts.has(type) && typeof text === 'string') return text;
      throw badField(
        `${where}[${at}]`,
        `expected a part of text, got ${shownJson(type)?.slice(0, 60) ?? 'no type'}; the model reads text only`,
      );
    })
    .join('');
}

function argumentsOf(given: unknown, where: string): unknown {
  try {
    return parseExactJson(typeof given === 'string' && given !== '' ? given : '{}');
  } catch {
    throw badField(`${where}.arguments`, 'expected a text of JSON');
  }
}

/** One system message at the beginning in place of several: many templates take no more. */
export function withInstructions(instructions: string | undefined, messages: readonly ChatMessage[]): readonly ChatMessage[] {
  const first = messages.findIndex(({ role }) => role !== 'system');
  const leading = messages.slice(0, first < 0 ? messages.length : first);
  const texts = [
    ...(instructions === undefined || instructions === '' ? [] : [instructions]),
    ...leading.map(({ content }) => String(content)),
  ];
  if (texts.length === 0) return messages;
  return [{ role: 'system', content: texts.join('\n\n') }, ...messages.slice(leading.length)];
}
