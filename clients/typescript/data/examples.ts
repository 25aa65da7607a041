/** From records to examples: token ids and which of them carry loss. Text ends here; nothing after this file sees it. */
import { CutlayerError } from '../../../src/errors.js';
import { readLines } from './lines.js';
import { type ChatMessage, type DataRecord, parseRecord } from './records.js';
import type { TextTokenizer } from './text-tokenizer.js';

/** A tokenized example. */
export interface Example {
  readonly tokenIds: Int32Array;
  /** 1 where the token carries loss (it is predicted from what stands before it). */
  readonly labelMask: Uint8Array;
  /** Leading tokens that generation starts from: all before the last completion; 0 for plain text. */
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

/** How records become examples. */
export interface ExampleOptions {
  /** Most tokens of an example: the model's positions less the virtual tokens, or fewer. */
  readonly maxLength: number;
  /** Default `error`. `truncate` cuts the end off. */
  readonly overlong?: OverlongPolicy;
  /** Put the eos token at the end of completions and texts. Default true. */
  readonly appendEos?: boolean;
  /** Most tokens of a data set, all examples together. Default 100 million. */
  readonly maxTotalTokens?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads a JSONL file of `{prompt, completion}`, `{messages}` or `{text}` records. Blank lines are skipped.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA naming file:line, CANCELLED
 */
export async function loadExamples(file: string, tokenizer: TextTokenizer, options: ExampleOptions): Promise<readonly Example[]> {
  const maxTotalTokens = options.maxTotalTokens ?? 100_000_000;
  const examples: Example[] = [];
  let total = 0;
  for await (const line of readLines(file)) {
    if (options.signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
    if (line.text.trim() === '') continue;
    const source = `${file}:${line.number}`;
    const example = toExample(parseRecord(line.text, source), tokenizer, options, source);
    if (example === undefined) continue;
    total += example.tokenIds.length;
    if (total > maxTotalTokens) {
      throw new CutlayerError('INVALID_DATA', `${source}: the file holds more than ${maxTotalTokens} tokens; split it`);
    }
    examples.push(example);
  }
  if (examples.length === 0) {
    throw new CutlayerError('INVALID_DATA', `${file}: no examples; expected at least one line with a JSON object`);
  }
  return examples;
}

/**
 * Tokenizes one record; undefined when the policy skips it.
 * Prompt and completion are tokenized separately and joined, so that the border between them is the same in training and generation.
 * @throws CutlayerError INVALID_DATA
 */
export function toExample(record: DataRecord, tokenizer: TextTokenizer, options: ExampleOptions, source: string): Example | undefined {
  const segments = located(source, () => segmentsOf(record, tokenizer, options.appendEos ?? true));
  const length = segments.reduce((sum, segment) => sum + segment.ids.length, 0);
  const overlong = options.overlong ?? 'error';
  if (length > options.maxLength && overlong !== 'truncate') {
    if (overlong === 'skip') return undefined;
    throw new CutlayerError(
      'INVALID_DATA',
      `${source}: ${length} tokens, the most is ${options.maxLength}; shorten it, or choose to truncate or to skip long examples`,
    );
  }
  const kept = Math.min(length, options.maxLength);
  const tokenIds = new Int32Array(kept);
  const labelMask = new Uint8Array(kept);
  let at = 0;
  let promptLength = 0;
  for (const { ids, labelled } of segments) {
    if (labelled && record.form !== 'text') promptLength = Math.min(at, kept);
    for (const id of ids) {
      if (at >= kept) break;
      tokenIds[at] = id;
      labelMask[at] = labelled ? 1 : 0;
      at += 1;
    }
  }
  if (!labelMask.includes(1)) {
    throw new CutlayerError('INVALID_DATA', `${source}: no token carries loss (the completion is empty or was truncated away)`);
  }
  return { tokenIds, labelMask, promptLength, source };
}

interface Segment {
  readonly ids: readonly number[];
  readonly labelled: boolean;
}

function segmentsOf(record: DataRecord, tokenizer: TextTokenizer, appendEos: boolean): readonly Segment[] {
  const eos = appendEos && tokenizer.eosTokenId !== undefined ? [tokenizer.eosTokenId] : [];
  switch (record.form) {
    case 'completion':
      return [
        { ids: [...tokenizer.leading, ...tokenizer.encode(record.prompt)], labelled: false },
        { ids: [...tokenizer.encode(record.completion), ...eos], labelled: true },
      ];
    case 'text':
      return [{ ids: [...tokenizer.leading, ...tokenizer.encode(record.text), ...eos], labelled: true }];
    case 'messages':
      return chatSegments(record.messages, tokenizer);
  }
}

/** Loss on what the template writes for each assistant turn, its end-of-turn token included; the template brings its own special tokens. */
function chatSegments(messages: readonly ChatMessage[], tokenizer: TextTokenizer): readonly Segment[] {
  const segments: Segment[] = [];
  let rendered = '';
  const extend = (text: string, labelled: boolean) => {
    if (!text.startsWith(rendered)) {
      throw new CutlayerError(
        'INVALID_DATA',
        "the checkpoint's chat template rewrites earlier turns, so the tokens of one turn cannot be told apart; " +
          'write one record per assistant turn, as {prompt, completion}',
      );
    }
    segments.push({ ids: tokenizer.encode(text.slice(rendered.length)), labelled });
    rendered = text;
  };
  messages.forEach((message, index) => {
    if (message.role !== 'assistant') return;
    extend(tokenizer.renderChat(messages.slice(0, index), true), false);
    extend(tokenizer.renderChat(messages.slice(0, index + 1), false), true);
  });
  return segments;
}

/** Puts file:line before the message of an error that does not know it. */
function located<T>(source: string, body: () => T): T {
  try {
    return body();
  } catch (caught) {
    const error = CutlayerError.from(caught);
    if (error.code !== 'INVALID_DATA' || error.message.startsWith(source)) throw error;
    throw new CutlayerError(error.code, `${source}: ${error.message}`, { cause: caught });
  }
}
