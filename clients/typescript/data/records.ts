/** Parses one line of a data file into one of three record forms; errors name file and line. */
import { parseJson } from '../../../src/files/json-text.js';
import { plainRecord } from './dialects.js';
import { type Conversation, parseConversation } from './messages.js';
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
 * Parses a line.
 * @param where `file:line`, for messages.
 * @throws CutlayerError INVALID_DATA
 */
export function parseRecord(line: string, where: string): DataRecord {
  return recordOf(parseLine(line, where), where);
}

/** A line as JSON. @throws CutlayerError INVALID_DATA */
export function parseLine(line: string, where: string): unknown {
  try {
    return parseJson(line);
  } catch (cause) {
    throw invalid(where, `not JSON (${line.length} characters); expected one object per line`, cause);
  }
}

/** The record that a parsed line is. @throws CutlayerError INVALID_DATA */
export function recordOf(value: unknown, where: string): DataRecord {
  return readRecord(value, where).record;
}

/** A record, and what of its line is told. */
export interface ReadRecord {
  readonly record: DataRecord;
  /** The dialect that it was written in; undefined for our own. */
  readonly dialect: string | undefined;
  /** Keys that the record does not read. */
  readonly unread: readonly string[];
}

/** As {@link recordOf}, with what is told. @throws CutlayerError INVALID_DATA */
export function readRecord(value: unknown, where: string): ReadRecord {
  const { fields, dialect } = plainRecord(fieldsOf(value, where), where);
  const [label, task] = [plainName(fields.label), plainName(fields.task)];
  const record: DataRecord = {
    ...parseContent(fields, where),
    ...(label === undefined ? {} : { label }),
    ...(task === undefined ? {} : { task }),
  };
  const read = new Set([...keysOf[record.form], 'label', 'task']);
  return { record, dialect, unread: Object.keys(fields).filter((key) => !read.has(key)) };
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
