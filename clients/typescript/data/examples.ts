/** Turns records into token ids and which of them carry loss; no later stage sees text. */
import { CutlayerError } from '../../../src/errors.js';
import type { Format } from './formats.js';
import type { Objective } from './objectives.js';
import { ReadingNotices, type Touch } from './reading-notices.js';
import { changedTexts, type DataRecord, readRecord } from './records.js';
import { type Row, readRows } from './rows.js';
import type { TextTokenizer } from './text-tokenizer.js';

export interface Example {
  readonly tokenIds: Int32Array;
  /** 1 where the token carries loss: it is predicted from the tokens before it. */
  readonly labelMask: Uint8Array;
  /** Leading tokens that generation starts from: all before the last completion; 0 for text. */
  readonly promptLength: number;
  /** Classification: the id of its class. */
  readonly classLabel?: number;
  /** Multitask: the id of its task. */
  readonly task?: number;
  /** True for a conversation. */
  readonly chat?: boolean;
  /** Which record it is, for noise of its own that is frozen; default: a new one each time. */
  readonly record?: string;
  /** `file:line`, for messages. */
  readonly source: string;
}

/** What to do with an example longer than the limit. */
export type OverlongPolicy = 'error' | 'truncate' | 'skip';

export interface ExampleOptions {
  /** Most tokens of an example: the model's positions less the virtual tokens, or fewer. */
  readonly maxLength: number;
  /** Default `classification` where there are {@link labels}, `auto` else. */
  readonly objective?: Objective | undefined;
  /** What the records are. Default `auto`: each record is taken for what it looks like. */
  readonly format?: Format | undefined;
  /** Names of the classes by id, as the adapter has them. */
  readonly labels?: readonly string[] | undefined;
  /** Task names by id, as the adapter's; every record needs one. Without them none counts. */
  readonly tasks?: readonly string[] | undefined;
  /** Default `error`. `truncate` cuts the end off. No document of objective `text` is too long. */
  readonly overlong?: OverlongPolicy;
  /** Put the eos token at the end of completions and texts. Default true. */
  readonly appendEos?: boolean;
  /** Whether the first token of a sequence is predicted: by a soft prompt. Default true. */
  readonly predictsFirst?: boolean;
  /** Told once a file: rows that were cut or left out, and keys that no record reads. */
  readonly onNotice?: (notice: string) => void;
  /** Most tokens of a data set, all examples together. Default 100 million. */
  readonly maxTotalTokens?: number;
  readonly signal?: AbortSignal;
  /** Begins a record: gives how each of its texts is changed before it is tokenized. */
  readonly redaction?: (() => (text: string) => string) | undefined;
}

/**
 * Reads rows of `{prompt, completion}`, `{messages}`, `{text}`, `{text, label}`, or of a dialect,
 * which is told. They are JSON lines, a JSON array, CSV with a header, or Parquet.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming file:line, CANCELLED
 */
export async function loadExamples(file: string, tokenizer: TextTokenizer, options: ExampleOptions): Promise<readonly Example[]> {
  const maxTotalTokens = options.maxTotalTokens ?? 100_000_000;
  const examples: Example[] = [];
  let total = 0;
  const notices = new ReadingNotices();
  for await (const rows of batchesOf(readRows(file))) {
    const records = rows.map((row) => parsedRow(row, options));
    tokenizer.learnAhead(records.flatMap(({ record }) => record ?? []));
    for (const { record, error, source, unread, dialect } of records) {
      if (options.signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
      if (record === undefined) throw error;
      const { examples: made, touch } = readExamples(record, tokenizer, options, source);
      notices.add(touch, unread, dialect);
      for (const example of made) {
        total += example.tokenIds.length;
        if (total > maxTotalTokens) {
          throw new CutlayerError('INVALID_DATA', `${source}: the file holds more than ${maxTotalTokens} tokens; split it`);
        }
        examples.push(example);
      }
    }
  }
  tokenizer.learnAhead([]);
  const leftOut = notices.leftOut(options.maxLength);
  if (examples.length === 0 && leftOut !== undefined)
    throw new CutlayerError('INVALID_DATA', `${file}: no examples: ${leftOut}; allow longer ones, or truncate them`);
  for (const notice of notices.lines(options.maxLength)) options.onNotice?.(`${file}: ${notice}`);
  if (examples.length === 0) {
    throw new CutlayerError('INVALID_DATA', `${file}: no examples; expected at least one line with a JSON object`);
  }
  return examples;
}

/** Examples that know which record of a file they are. */
export function numbered(file: string, examples: readonly Example[]): readonly Example[] {
  return examples.map((example, at) => ({ ...example, record: `${file} ${at}` }));
}

/** Rows and characters that are tokenized with one question to the tokenizer's thread. */
const BATCH_ROWS = 256;
const BATCH_CHARACTERS = 1 << 18;

async function* batchesOf(rows: AsyncIterable<Row>): AsyncGenerator<readonly Row[]> {
  let batch: Row[] = [];
  let characters = 0;
  for await (const row of rows) {
    batch.push(row);
    characters += row.characters;
    if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
    yield batch;
    [batch, characters] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** A row's record, or the error that reading it gives: the rows before it come first. */
function parsedRow(row: Row, { format, redaction }: ExampleOptions) {
  const { source } = row;
  try {
    const read = readRecord(row.value(), source, format);
    return { ...read, record: redacted(read.record, redaction), error: undefined, source };
  } catch (error) {
    return { record: undefined, error, source, unread: [], dialect: undefined };
  }
}

/** A record with the placeholders that it is sent with. */
export function redacted(record: DataRecord, redaction: ExampleOptions['redaction']): DataRecord {
  return redaction === undefined ? record : changedTexts(record, redaction());
}

/**
 * Tokenizes one record: one example, windows of a document, or none: when the policy skips it, or
 * cuts off all that it teaches.
 * Prompt and completion, and a conversation, are one text that is tokenized once.
 * @throws CutlayerError INVALID_DATA
 */
export function toExamples(record: DataRecord, tokenizer: TextTokenizer, options: ExampleOptions, source: string): readonly Example[] {
  return readExamples(record, tokenizer, options, source).examples;
}

interface Reading {
  readonly examples: readonly Example[];
  readonly touch: Touch | undefined;
}

function readExamples(record: DataRecord, tokenizer: TextTokenizer, options: ExampleOptions, source: string): Reading {
  const { labels, tasks, overlong = 'error', appendEos = true, maxLength } = options;
  const objective = options.objective ?? (labels === undefined ? 'auto' : 'classification');
  refuseForm(record, objective, source);
  const task = tasks === undefined ? undefined : namedId('task', record.task, tasks, source);
  const classLabel = objective === 'classification' ? namedId('label', record.label, labels ?? [], source) : undefined;
  // A class is read at the text's own end, as transformers' tokenizers leave it.
  const withEos = appendEos && classLabel === undefined;
  const whole = located(source, () => learnedOf(record, tokenizer, withEos));
  if (classLabel !== undefined) whole.labelMask.fill(0);
  const names = { source, ...(task === undefined ? {} : { task }), ...(classLabel === undefined ? {} : { classLabel }) };
  const length = whole.tokenIds.length;
  if (objective === 'text') {
    if (options.predictsFirst === false && length === 1)
      throw new CutlayerError('INVALID_DATA', `${source}: ${nothingLearned(whole.labelMask)}`);
    return { examples: windows(whole, maxLength).map((window) => ({ ...window, promptLength: 0, ...names })), touch: undefined };
  }
  if (length > maxLength && overlong === 'skip') return { examples: [], touch: 'long' };
  if (length > maxLength && overlong === 'error') {
    throw new CutlayerError(
      'INVALID_DATA',
      `${source}: ${length} tokens, the most is ${maxLength}; shorten it, ${record.form === 'text' && classLabel === undefined ? 'take the objective text, which reads it in windows, ' : ''}` +
        'or choose to truncate or to skip long examples',
    );
  }
  const tokenIds = whole.tokenIds.slice(0, maxLength);
  const labelMask = whole.labelMask.slice(0, maxLength);
  if (tokenIds.length === 0) throw new CutlayerError('INVALID_DATA', `${source}: the text has no tokens`);
  const cut = length > maxLength;
  if (classLabel === undefined && !labelMask.includes(1, options.predictsFirst === false ? 1 : 0)) {
    // A record that has nothing to learn is a fault of the data; one that lost it by the cut is
    // not.
    if (cut && whole.labelMask.includes(1, options.predictsFirst === false ? 1 : 0)) return { examples: [], touch: 'unlearned' };
    throw new CutlayerError('INVALID_DATA', `${source}: ${nothingLearned(labelMask)}`);
  }
  const promptLength = record.form === 'text' ? 0 : Math.min(whole.lastPrompt, tokenIds.length);
  const chat = record.form === 'messages' ? { chat: true } : {};
  return { examples: [{ tokenIds, labelMask, promptLength, ...chat, ...names }], touch: cut ? 'cut' : undefined };
}

function nothingLearned(labelMask: Uint8Array): string {
  return labelMask.includes(1)
    ? 'no token carries loss: the first token of a sequence is predicted by a soft prompt only; write a prompt, or let the eos token follow'
    : 'no token carries loss: the completion is empty, or every assistant turn has weight 0 or is left out by the chat template';
}

/** A record's whole sequence: what starts every sequence, its own tokens, and its end. */
function learnedOf(record: DataRecord, tokenizer: TextTokenizer, appendEos: boolean) {
  const { ids, ranges } = tokenizer.learn(record);
  // A conversation has the special tokens of its template, and no others.
  const leading = record.form === 'messages' ? [] : tokenizer.leading;
  const eos = appendEos && record.form !== 'messages' && tokenizer.eosTokenId !== undefined ? [tokenizer.eosTokenId] : [];
  const tokenIds = new Int32Array(leading.length + ids.length + eos.length);
  tokenIds.set(leading);
  tokenIds.set(ids, leading.length);
  tokenIds.set(eos, leading.length + ids.length);
  const labelMask = new Uint8Array(tokenIds.length);
  for (let at = 0; at < ranges.length; at += 2) labelMask.fill(1, leading.length + ranges[at]!, leading.length + ranges[at + 1]!);
  labelMask.fill(1, tokenIds.length - eos.length);
  if (record.form === 'text') labelMask.fill(1, 0, leading.length);
  return { tokenIds, labelMask, lastPrompt: leading.length + (ranges.at(-2) ?? ids.length) };
}

/**
 * Windows of at most `size` tokens. Each later one begins with the last token before it, without
 * loss: so every token is predicted exactly once, from the tokens before it.
 */
function windows(
  { tokenIds, labelMask }: Pick<Example, 'tokenIds' | 'labelMask'>,
  size: number,
): Pick<Example, 'tokenIds' | 'labelMask'>[] {
  if (size < 2) throw new CutlayerError('INVALID_ARGUMENT', `objective text: a window needs at least 2 tokens, got ${size}`);
  const found = [];
  for (let start = 0; start === 0 || start < tokenIds.length - 1; start += size - 1) {
    const mask = labelMask.slice(start, start + size);
    if (start > 0) mask[0] = 0;
    found.push({ tokenIds: tokenIds.slice(start, start + size), labelMask: mask });
  }
  return found;
}

/** @throws CutlayerError INVALID_DATA when the objective wants records of another form */
function refuseForm(record: DataRecord, objective: Objective, source: string): void {
  const wanted = { auto: record.form, completion: 'completion', chat: 'messages', text: 'text', classification: 'text' }[objective];
  if (record.form === wanted) return;
  const shapes = { completion: '{"prompt", "completion"}', messages: '{"messages"}', text: '{"text"}' } as const;
  const shape = objective === 'classification' ? '{"text", "label"}' : shapes[wanted as DataRecord['form']];
  throw new CutlayerError(
    'INVALID_DATA',
    `${source}: the objective ${objective} wants ${shape} records, this is a ${shapes[record.form]} one`,
  );
}

/** The id of a class or task. @throws CutlayerError INVALID_DATA naming those that there are */
function namedId(key: 'label' | 'task', name: string | undefined, known: readonly string[], source: string): number {
  const id = name === undefined ? -1 : known.indexOf(name);
  if (id >= 0) return id;
  const got = name === undefined ? 'nothing' : JSON.stringify(name.slice(0, 60));
  const list = known.length > 20 ? `${known.slice(0, 20).join(', ')} and ${known.length - 20} more` : known.join(', ') || 'none';
  throw new CutlayerError('INVALID_DATA', `${source}: "${key}": expected one of ${list}; got ${got}`);
}

/** Adds file:line to the message of an error without it. */
function located<T>(source: string, body: () => T): T {
  try {
    return body();
  } catch (caught) {
    const error = CutlayerError.from(caught);
    if (error.code !== 'INVALID_DATA' || error.message.startsWith(source)) throw error;
    throw new CutlayerError(error.code, `${source}: ${error.message}`, { cause: caught });
  }
}
