/** Parses one line of a data file into one of three record forms; errors name file and line. */
import { plainRecord } from './dialects.js';
import { parseExactJson } from './exact-numbers.js';
import { type Format, fieldsOfFormat } from './formats.js';
import { type Conversation, parseConversation } from './messages.js';
import { notJson } from './not-json.js';
import { fieldsOf, invalid, nonEmpty, text } from './record-values.js';

/** A record of a data file: what the line held, validated. */
export type DataRecord = RecordContent & RecordNames;

/** The text of a record, in one of three forms. */
type RecordContent =
  | { readonly form: 'completion'; readonly prompt: string; readonly completion: string }
  | ({ readonly form: 'messages' } & Conversation)
  | { readonly form: 'text'; readonly text: string };

/** What a record of any form may name. */
export interface RecordNames {
  /** Its class, for classification. */
  readonly label?: string;
  /** Its task, for adapters with tasks. */
  readonly task?: string;
}

/** Keys that a record of each form has. */
const keysOf: { readonly [Form in DataRecord['form']]: readonly string[] } = {
  completion: ['prompt', 'completion'],
  messages: ['messages', 'tools', 'documents', 'chat_template_kwargs'],
  text: ['text'],
};

/**
 * Parses a line. A number that Python prints otherwise than JavaScript, such as 1.0, is an object
 * `Number` or a bigint.
 * @param where `file:line`, for messages.
 * @param format The one that the record has to have. Default `auto`.
 * @throws CutlayerError INVALID_DATA
 */
export function parseRecord(line: string, where: string, format: Format = 'auto'): DataRecord {
  return readRecord(parseLine(line, where), where, format).record;
}

/** A line as JSON. @throws CutlayerError INVALID_DATA */
export function parseLine(line: string, where: string): unknown {
  try {
    return parseExactJson(line);
  } catch (cause) {
    throw invalid(where, notJson(line, cause), cause);
  }
}

/** A record, and what of its line is told. */
export interface ReadRecord {
  readonly record: DataRecord;
  /** The dialect that it was written in; undefined for our own. */
  readonly dialect: string | undefined;
  /** Keys that the record does not read. */
  readonly unread: readonly string[];
}

/** The record that a parsed line is, with what is told. @throws CutlayerError INVALID_DATA */
export function readRecord(value: unknown, where: string, format: Format = 'auto'): ReadRecord {
  const given = fieldsOf(value, where);
  const asked = fieldsOfFormat(given, format, where);
  const { fields, dialect } = plainRecord(asked, where);
  const [label, task] = [plainName(fields.label), plainName(fields.task)];
  const record: DataRecord = {
    ...parseContent(fields, where),
    ...(label === undefined ? {} : { label }),
    ...(task === undefined ? {} : { task }),
  };
  const read = new Set([...keysOf[record.form], 'label', 'task']);
  const others = Object.keys(given).filter((key) => !Object.hasOwn(asked, key));
  return { record, dialect, unread: [...others, ...Object.keys(fields).filter((key) => !read.has(key))] };
}

/** A record with its texts changed, in order; roles, names of tools, label and task stay. */
export function changedTexts(record: DataRecord, change: (text: string) => string): DataRecord {
  const { label: _label, task: _task, form: _form, ...texts } = record;
  const changed = (value: unknown, key?: string): unknown => {
    if (typeof value === 'string') return key !== undefined && KEPT_KEYS.has(key) ? value : change(value);
    if (Array.isArray(value)) return value.map((item) => changed(item));
    if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, changed(item, name)]));
  };
  // Of the same form: only strings were changed.
  return { ...record, ...(changed(texts) as object) } as DataRecord;
}

/** Keys of a conversation that are no text of it. */
const KEPT_KEYS = new Set(['role', 'name', 'type', 'id', 'tool_call_id', 'chat_template']);

/** A name as text; numbers and booleans count too. Any other value is no name. */
function plainName(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (value instanceof Number || typeof value === 'bigint') return String(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function parseContent(record: Readonly<Record<string, unknown>>, where: string): RecordContent {
  const forms = ['messages', 'text', 'completion'].filter((key) => record[key] !== undefined);
  if (forms.length > 1 || (record.prompt !== undefined && (forms[0] ?? 'completion') !== 'completion')) {
    const keys = ['prompt', 'completion', 'messages', 'text'].filter((key) => record[key] !== undefined);
    throw invalid(where, `expected exactly one form (prompt + completion, messages, or text), got the keys ${keys.join(', ')}`);
  }
  if (record.messages !== undefined) return { form: 'messages', ...parseConversation(record, where) };
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
