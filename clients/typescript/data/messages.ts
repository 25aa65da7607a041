/**
 * A conversation of a record. Every key of a message goes to the chat template, as transformers
 * passes it: `tool_calls`, `reasoning_content`, `name` and any other.
 */
import { shownJson } from './exact-numbers.js';
import { invalid, requireText, text } from './record-values.js';

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: string;
  /** Text, or parts of text; null and absent where the turn is made of other keys. */
  readonly content?: string | null | readonly ContentPart[];
  /** 0: no token of this turn carries loss. */
  readonly weight?: number;
  readonly [key: string]: unknown;
}

/** A part of a message's content. */
export interface ContentPart {
  readonly type: 'text';
  readonly text: string;
  readonly [key: string]: unknown;
}

/** What a chat template gets. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** JSON schemas of functions. */
  readonly tools?: readonly object[];
  readonly documents?: readonly object[];
  /** Further values of the template, such as `enable_thinking`. */
  readonly chat_template_kwargs?: Readonly<Record<string, unknown>>;
}

const roles: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function', 'ipython']);

/** @throws CutlayerError INVALID_DATA */
export function parseConversation(record: Readonly<Record<string, unknown>>, where: string): Conversation {
  const messages = parseMessages(record.messages, where);
  if (!messages.some(learned)) {
    throw invalid(where, 'messages: expected at least one assistant turn with content, since only those carry loss');
  }
  const { tools, documents, chat_template_kwargs: kwargs } = record;
  requireObjects(tools, 'tools', where);
  requireObjects(documents, 'documents', where);
  if (kwargs != null && (typeof kwargs !== 'object' || Array.isArray(kwargs)))
    throw invalid(where, 'chat_template_kwargs: expected an object');
  requireText(kwargs, 'chat_template_kwargs', where);
  return {
    messages,
    ...(tools == null ? {} : { tools: tools as readonly object[] }), // checked above
    ...(documents == null ? {} : { documents: documents as readonly object[] }),
    ...(kwargs == null ? {} : { chat_template_kwargs: kwargs as Readonly<Record<string, unknown>> }),
  };
}

/** Messages by themselves, also without an answer. @throws CutlayerError INVALID_DATA */
export function parseMessages(value: unknown, where: string): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(where, 'messages: expected a list with at least one message');
  return value.map((item: unknown, index) => parseMessage(item, `messages[${index}]`, where));
}

function parseMessage(item: unknown, name: string, where: string): ChatMessage {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw invalid(where, `${name}: expected an object`);
  const message = item as Readonly<Record<string, unknown>>;
  const { role, content } = message;
  // 1.0 too is the whole weight.
  const weight = message.weight instanceof Number ? Number(message.weight) : message.weight;
  if (typeof role !== 'string' || !roles.has(role)) {
    throw invalid(where, `${name}.role: expected one of ${[...roles].join(', ')}, got ${shownJson(role) ?? 'nothing'}`);
  }
  if (weight != null && weight !== 0 && weight !== 1)
    throw invalid(where, `${name}.weight: expected 0 (without loss) or 1, got ${shownJson(weight)}`);
  if (Array.isArray(content)) requireTextParts(content, `${name}.content`, where);
  else if (content != null || !hasOther(message)) text(content, `${name}.content`, where);
  requireText(message, name, where);
  return (weight === message.weight ? message : { ...message, weight }) as ChatMessage; // role, content and weight were checked
}

/** Whether the turn says something beside its content. */
function hasOther(message: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(message).some(
    ([key, value]) => !['role', 'content', 'weight', 'name'].includes(key) && value != null && value !== '' && !isEmptyList(value),
  );
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

function learned(message: ChatMessage): boolean {
  const { role, content } = message;
  return role === 'assistant' && ((content != null && content !== '' && !isEmptyList(content)) || hasOther(message));
}

function requireTextParts(parts: readonly unknown[], name: string, where: string): void {
  parts.forEach((part, at) => {
    const { type, text: own } = (part ?? {}) as Readonly<Record<string, unknown>>;
    if (type !== 'text' || typeof own !== 'string')
      throw invalid(
        where,
        `${name}[${at}]: expected {"type": "text", "text": "..."}, got ${shownJson(type) ?? 'no type'}; the model reads text only`,
      );
  });
}

function requireObjects(value: unknown, name: string, where: string): void {
  if (value == null) return;
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'object' || item === null || Array.isArray(item)))
    throw invalid(where, `${name}: expected a list of objects`);
  requireText(value, name, where);
}
