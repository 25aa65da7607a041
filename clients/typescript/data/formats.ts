/**
 * Formats of records that a caller may state. A record is then read as that format alone: a record
 * of another one is refused, and keys of others are not read. `auto` takes each for what it is.
 */
import { invalid } from './record-values.js';

type Fields = Readonly<Record<string, unknown>>;

/** Names of the formats. */
export const formats = ['auto', 'completion', 'chat', 'text', 'alpaca', 'sharegpt', 'trl'] as const;

/** One of {@link formats}. */
export type Format = (typeof formats)[number];

interface FormatRow {
  /** Its shape, for messages. */
  readonly shape: string;
  /** Keys that it reads beside `label` and `task`. */
  readonly keys: readonly string[];
  readonly fits: (fields: Fields) => boolean;
}

const chatKeys = ['tools', 'documents', 'chat_template_kwargs'];
const isText = (value: unknown): boolean => typeof value === 'string';
const says = (turns: unknown, key: string): boolean =>
  Array.isArray(turns) && turns.some((turn: Fields | null) => turn?.[key] !== undefined);

const rows: { readonly [Name in Exclude<Format, 'auto'>]: FormatRow } = {
  completion: {
    shape: '{"prompt", "completion"} of texts',
    keys: ['prompt', 'completion'],
    fits: ({ prompt, completion }) => isText(prompt) && isText(completion),
  },
  chat: {
    shape: '{"messages": [{"role", "content"}]}',
    keys: ['messages', 'conversations', 'system', ...chatKeys],
    fits: ({ messages, conversations }) => Array.isArray(messages) || says(conversations, 'role'),
  },
  text: { shape: '{"text"}', keys: ['text'], fits: ({ text }) => isText(text) },
  alpaca: {
    shape: '{"instruction", "output"}, with or without "input"',
    keys: ['instruction', 'input', 'output'],
    fits: ({ instruction, output }) => isText(instruction) && isText(output),
  },
  sharegpt: {
    shape: '{"conversations": [{"from", "value"}]}',
    keys: ['conversations', 'system', ...chatKeys],
    fits: ({ conversations }) => says(conversations, 'from'),
  },
  trl: {
    shape: '{"prompt", "completion"} of lists of messages',
    keys: ['prompt', 'completion', ...chatKeys],
    fits: ({ prompt, completion }) => Array.isArray(prompt) && Array.isArray(completion),
  },
};

/** Every key that a record of any format is made of. */
export const recordKeys: ReadonlySet<string> = new Set([
  ...Object.values(rows).flatMap(({ keys }) => keys),
  ...['label', 'task', 'chosen', 'rejected'],
]);

/**
 * What of a record's fields its format reads.
 * @throws CutlayerError INVALID_DATA naming the format's shape and the record's keys
 */
export function fieldsOfFormat(fields: Fields, format: Format, where: string): Fields {
  if (format === 'auto') return fields;
  const { shape, keys, fits } = rows[format];
  if (!fits(fields)) {
    const given = Object.entries(fields).flatMap(([key, value]) => (value == null ? [] : [key]));
    const more = given.length > 8 ? ` and ${given.length - 8} more` : '';
    const found =
      given.length === 0
        ? 'none'
        : given
            .slice(0, 8)
            .map((key) => key.slice(0, 60))
            .join(', ') + more;
    throw invalid(where, `the format ${format} wants ${shape}; the keys are: ${found}`);
  }
  return Object.fromEntries(Object.entries(fields).filter(([key]) => keys.includes(key) || key === 'label' || key === 'task'));
}
