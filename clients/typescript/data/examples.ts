/** Turns records into token ids and which of them carry loss; no later stage sees text. */
import { CutlayerError } from '../../../src/errors.js';
import { readLines } from './lines.js';
import { type DataRecord, parseRecord } from './records.js';
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
  /** `file:line`, for messages. */
  readonly source: string;
}

/** What to do with an example longer than the limit. */
export type OverlongPolicy = 'error' | 'truncate' | 'skip';

/**
 * What is learned: `auto` takes each record's own form, the others one form only. `text` is
 * continued pre-training, documents in several windows; `classification` reads `{text, label}`.
 */
export const objectives = ['auto', 'completion', 'chat', 'text', 'classification'] as const;

/** One of {@link objectives}. */
export type Objective = (typeof objectives)[number];

export interface ExampleOptions {
  /** Most tokens of an example: the model's positions less the virtual tokens, or fewer. */
  readonly maxLength: number;
  /** Default `classification` where there are {@link labels}, `auto` else. */
  readonly objective?: Objective | undefined;
  /** Names of the classes by id, as the adapter has them. */
  readonly labels?: readonly string[] | undefined;
  /** Task names by id, as the adapter's; every record needs one. Without them none counts. */
  readonly tasks?: readonly string[] | undefined;
  /** Default `error`. `truncate` cuts the end off. No document of objective `text` is too long. */
  readonly overlong?: OverlongPolicy;
  /** Put the eos token at the end of completions and texts. Default true. */
  readonly appendEos?: boolean;
  /** Most tokens of a data set, all examples together. Default 100 million. */
  readonly maxTotalTokens?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads lines of `{prompt, completion}`, `{messages}`, `{text}`, `{text, label}`; skips blank ones.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming file:line, CANCELLED
 */
export async function loadExamples(file: string, tokenizer: TextTokenizer, options: ExampleOptions): Promise<readonly Example[]> {
  const maxTotalTokens = options.maxTotalTokens ?? 100_000_000;
  const examples: Example[] = [];
  let total = 0;
  let skipped = 0;
  for await (const lines of batchesOf(readLines(file))) {
    const records = lines.flatMap((line) => (line.text.trim() === '' ? [] : [parsedLine(line, `${file}:${line.number}`)]));
    tokenizer.learnAhead(records.flatMap(({ record }) => record ?? []));
    for (const { record, error, source } of records) {
      if (options.signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
      if (record === undefined) throw error;
      const made = toExamples(record, tokenizer, options, source);
      if (made.length === 0) skipped++;
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
  if (examples.length === 0 && skipped > 0) {
    const all = `all ${skipped} are longer than ${options.maxLength} tokens and were left out`;
    throw new CutlayerError('INVALID_DATA', `${file}: no examples: ${all}; allow longer ones, or truncate them`);
  }
  if (examples.length === 0) {
    throw new CutlayerError('INVALID_DATA', `${file}: no examples; expected at least one line with a JSON object`);
  }
  return examples;
}

/** Lines and characters that are tokenized with one question to the tokenizer's thread. */
const BATCH_LINES = 256;
const BATCH_CHARACTERS = 1 << 18;

interface Line {
  readonly text: string;
  readonly number: number;
}

async function* batchesOf(lines: AsyncIterable<Line>): AsyncGenerator<readonly Line[]> {
  let batch: Line[] = [];
  let characters = 0;
  for await (const line of lines) {
    batch.push(line);
    characters += line.text.length;
    if (batch.length < BATCH_LINES && characters < BATCH_CHARACTERS) continue;
    yield batch;
    [batch, characters] = [[], 0];
  }
  if (batch.length > 0) yield batch;
}

/** A line's record, or the error that reading it gives: the lines before it come first. */
function parsedLine({ text }: Line, source: string) {
  try {
    return { record: parseRecord(text, source), error: undefined, source };
  } catch (error) {
    return { record: undefined, error, source };
  }
}

/**
 * Tokenizes one record: one example, none when skipped by the policy, or windows of a document.
 * Prompt and completion, and a conversation, are one text that is tokenized once.
 * @throws CutlayerError INVALID_DATA
 */
export function toExamples(record: DataRecord, tokenizer: TextTokenizer, options: ExampleOptions, source: string): readonly Example[] {
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
  if (objective === 'text') return windows(whole, maxLength).map((window) => ({ ...window, promptLength: 0, ...names }));
  if (length > maxLength && overlong === 'skip') return [];
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
  if (classLabel === undefined && !labelMask.includes(1)) {
    throw new CutlayerError('INVALID_DATA', `${source}: no token carries loss (the completion is empty or was truncated away)`);
  }
  const promptLength = record.form === 'text' ? 0 : Math.min(whole.lastPrompt, tokenIds.length);
  return [{ tokenIds, labelMask, promptLength, ...names }];
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
