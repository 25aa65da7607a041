/** Parses one line of a data file into one of three record forms; errors name file and line. */
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** A record of a data file: what the line held, validated. */
export type DataRecord = RecordContent & RecordNames;

/** The text of a record, in one of three forms. */
type RecordContent =
  | { readonly form: 'completion'; readonly prompt: string; readonly completion: string }
  | { readonly form: 'messages'; readonly messages: readonly ChatMessage[] }
  | { readonly form: 'text'; readonly text: string };

/** What a record of any form may name. */
export interface RecordNames {
  /** Its class, for classification. */
  readonly label?: string;
  /** Its task, for adapters with tasks. */
  readonly task?: string;
}

const roles: ReadonlySet<string> = new Set(['system', 'developer', 'user', 'assistant', 'tool']);

/**
 * Parses a line. Keys beyond those of its form, `label` and `task` are ignored (`id`, `meta` …).
 * @param where `file:line`, for messages.
 * @throws CutlayerError INVALID_DATA
 */
export function parseRecord(line: string, where: string): DataRecord {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch (cause) {
    throw invalid(where, `not JSON (${line.length} characters); expected one object per line`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(where, `expected an object, got ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}`);
  }
  const record = value as Readonly<Record<string, unknown>>;
  const [label, task] = [plainName(record.label), plainName(record.task)];
  return { ...parseContent(record, where), ...(label === undefined ? {} : { label }), ...(task === undefined ? {} : { task }) };
}

/** A name as text; numbers and booleans count too. Any other value is no name. */
function plainName(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function parseContent(record: Readonly<Record<string, unknown>>, where: string): RecordContent {
  const forms = ['messages', 'text', 'completion'].filter((key) => record[key] !== undefined);
  if (forms.length > 1 || (record.prompt !== undefined && (forms[0] ?? 'completion') !== 'completion')) {
    const keys = ['prompt', 'completion', 'messages', 'text'].filter((key) => record[key] !== undefined);
    throw invalid(where, `expected exactly one form (prompt + completion, messages, or text), got the keys ${keys.join(', ')}`);
  }
  if (record.messages !== undefined) return { form: 'messages', messages: parseMessages(record.messages, where) };
  if (record.text !== undefined) return { form: 'text', text: nonEmpty(record.text, 'text', where) };
  if (record.completion === undefined) {
    const found = Object.keys(record).slice(0, 8).join(', ') || 'none';
    const wanted = record.prompt === undefined ? 'prompt + completion, messages, or text' : '"completion" beside "prompt"';
    throw invalid(where, `expected ${wanted}; the keys are: ${found}`);
  }
  if (record.prompt === undefined) throw invalid(where, 'expected "prompt" beside "completion" (it may be an empty string)');
  return {
    form: 'completion',
    prompt: text(record.prompt, 'prompt', where),
    completion: nonEmpty(record.completion, 'completion', where),
  };
}

function parseMessages(value: unknown, where: string): readonly ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(where, 'messages: expected a list with at least one message');
  const messages = value.map((item: unknown, index): ChatMessage => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw invalid(where, `messages[${index}]: expected an object`);
    const { role, content } = item as Readonly<Record<string, unknown>>;
    if (typeof role !== 'string' || !roles.has(role)) {
      throw invalid(where, `messages[${index}].role: expected one of ${[...roles].join(', ')}, got ${JSON.stringify(role) ?? 'nothing'}`);
    }
    return { role, content: text(content, `messages[${index}].content`, where) };
  });
  if (!messages.some((message) => message.role === 'assistant' && message.content !== '')) {
    throw invalid(where, 'messages: expected at least one assistant turn with content, since only those carry loss');
  }
  return messages;
}

function text(value: unknown, name: string, where: string): string {
  if (typeof value !== 'string') {
    throw invalid(where, `${name}: expected a string, got ${value === null ? 'null' : value === undefined ? 'nothing' : typeof value}`);
  }
  if (/\p{Surrogate}/u.test(value)) throw invalid(where, `${name}: holds half of a surrogate pair, which is not text`);
  return value;
}

function nonEmpty(value: unknown, name: string, where: string): string {
  const checked = text(value, name, where);
  if (checked === '') throw invalid(where, `${name}: expected text, got an empty string`);
  return checked;
}

function invalid(where: string, what: string, cause?: unknown): CutlayerError {
  return new CutlayerError('INVALID_DATA', `${where}: ${what}`, { cause });
}
