/** From the turns of `/v1/messages`, made of blocks, to the messages of a chat template. */
import { shownJson } from '../../data/exact-numbers.js';
import type { ChatMessage } from '../../data/messages.js';
import { badField } from '../http/problem.js';

type Block = Readonly<Record<string, unknown>>;

/** Between blocks of text that follow each other. */
const BETWEEN = '\n\n';

const shown = (value: unknown): string => shownJson(value)?.slice(0, 60) ?? 'nothing';

/** @throws CutlayerError INVALID_ARGUMENT naming the turn or block */
export function turnMessages(turns: readonly unknown[], system: string | readonly unknown[] | undefined): readonly ChatMessage[] {
  const messages: ChatMessage[] = [];
  const instructions = system === undefined ? '' : textOf(system, 'system');
  if (instructions !== '') messages.push({ role: 'system', content: instructions });
  if (turns.length === 0) throw badField('messages', 'expected a list with at least one message');
  for (const [at, turn] of turns.entries()) {
    const where = `messages[${at}]`;
    const { role, content, ...others } = blockOf(turn, where);
    const [other] = Object.keys(others);
    if (other !== undefined) throw badField(`${where}.${other.slice(0, 60)}`, 'not a field of a message; expected role and content');
    if (role !== 'user' && role !== 'assistant') throw badField(`${where}.role`, `expected user or assistant, got ${shown(role)}`);
    if (typeof content === 'string') messages.push({ role, content });
    else if (role === 'user') messages.push(...userMessages(content, `${where}.content`));
    else messages.push(assistantMessage(content, `${where}.content`));
  }
  if (messages.at(-1)?.role === 'assistant')
    throw badField('messages', "expected the user's turn as the last one; an answer cannot be begun for the model here");
  return messages;
}

/** Results of tools are messages of their own; text between them is the user's. */
function userMessages(content: unknown, where: string): readonly ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const [at, item] of blocksOf(content, where).entries()) {
    const place = `${where}[${at}]`;
    const block = blockOf(item, place);
    const last = messages.at(-1);
    if (block.type === 'tool_result') messages.push(resultMessage(block, place));
    else if (last?.role === 'user')
      messages[messages.length - 1] = { ...last, content: String(last.content) + BETWEEN + textIn(block, place) };
    else messages.push({ role: 'user', content: textIn(block, place) });
  }
  return messages;
}

function resultMessage(block: Block, where: string): ChatMessage {
  const { tool_use_id: id, content = '', is_error: failed } = block;
  checkKeys(block, ['type', 'tool_use_id', 'content', 'is_error', 'cache_control'], where);
  if (typeof id !== 'string' || id === '') throw badField(`${where}.tool_use_id`, 'expected the id of a tool_use block');
  return {
    role: 'tool',
    tool_call_id: id,
    content: textOf(content as string | readonly unknown[], `${where}.content`), // another value is refused there
    ...(failed != null && { is_error: failed }),
  };
}

function assistantMessage(content: unknown, where: string): ChatMessage {
  const texts: string[] = [];
  const calls: object[] = [];
  for (const [at, item] of blocksOf(content, where).entries()) {
    const place = `${where}[${at}]`;
    const block = blockOf(item, place);
    const { type, id, name, input } = block;
    if (type === 'thinking' || type === 'redacted_thinking') continue;
    if (type !== 'tool_use') {
      texts.push(textIn(block, place));
      continue;
    }
    checkKeys(block, ['type', 'id', 'name', 'input', 'cache_control', 'caller'], place);
    if (typeof name !== 'string' || name === '') throw badField(`${place}.name`, 'expected the name of a tool');
    if (typeof input !== 'object' || input === null || Array.isArray(input)) throw badField(`${place}.input`, 'expected an object');
    calls.push({ id, type: 'function', function: { name, arguments: input } });
  }
  const text = texts.join(BETWEEN);
  return { role: 'assistant', content: text === '' && calls.length > 0 ? null : text, ...(calls.length > 0 && { tool_calls: calls }) };
}

function textOf(content: string | readonly unknown[], where: string): string {
  if (typeof content === 'string') return content;
  return blocksOf(content, where)
    .map((block, at) => textIn(blockOf(block, `${where}[${at}]`), `${where}[${at}]`))
    .join(BETWEEN);
}

/** The text of a block of text. */
function textIn(block: Block, where: string): string {
  const { type, text, citations } = block;
  if (type !== 'text') throw badField(`${where}.type`, `expected a block of text here, got ${shown(type)}; the model reads text only`);
  checkKeys(block, ['type', 'text', 'citations', 'cache_control'], where);
  if (typeof text !== 'string') throw badField(`${where}.text`, 'expected a text');
  if (citations != null && !(Array.isArray(citations) && citations.length === 0))
    throw badField(`${where}.citations`, 'not supported here: the model cites nothing');
  return text;
}

function blocksOf(content: unknown, where: string): readonly unknown[] {
  if (Array.isArray(content)) return content as readonly unknown[];
  throw badField(where, `expected a text or a list of blocks, got ${shown(content)}`);
}

function blockOf(value: unknown, where: string): Block {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Block; // an object, by the test
  throw badField(where, `expected an object, got ${shown(value)}`);
}

function checkKeys(block: Block, known: readonly string[], where: string): void {
  const other = Object.keys(block).find((key) => block[key] != null && !known.includes(key));
  if (other !== undefined) throw badField(`${where}.${other.slice(0, 60)}`, `not supported here; expected ${known.join(', ')}`);
}
