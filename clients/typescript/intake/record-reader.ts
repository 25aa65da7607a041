/** From a line to its record's examples, as `client train` reads them; and which are the same. */
import { CutlayerError } from '../../../src/errors.js';
import { canonicalJson } from '../../../src/protocol/federation/canonical-json.js';
import { plainNumbers } from '../data/exact-numbers.js';
import { type Example, type ExampleOptions, redacted, toExamples } from '../data/examples.js';
import { type DataRecord, parseRecord } from '../data/records.js';
import type { TextTokenizer } from '../data/text-tokenizer.js';

/** A line that is a record. */
export interface ReadRecord {
  /** Canonical: text and names alone, in a fixed order of keys. */
  readonly content: string;
  /** At least one. */
  readonly examples: readonly Example[];
}

export type ReadOutcome = ReadRecord | { readonly reason: string };

/** Reads lines as one kind of data. */
export class RecordReader {
  readonly #tokenizer: TextTokenizer;
  readonly #options: ExampleOptions;

  constructor(tokenizer: TextTokenizer, options: ExampleOptions) {
    this.#tokenizer = tokenizer;
    this.#options = options;
  }

  /** Never throws: a wrong line gives its reason. @param source `file:line` of the examples. */
  read(line: string, source: string): ReadOutcome {
    try {
      const record: DataRecord = parseRecord(line, source, this.#options.format);
      const sent = redacted(record, this.#options.redaction);
      const examples = toExamples(sent, this.#tokenizer, this.#options, source);
      if (examples.length === 0) return { reason: this.#leftOut() };
      return { content: canonicalJson(plainNumbers(record)), examples };
    } catch (caught) {
      const { message } = CutlayerError.from(caught);
      return { reason: message.startsWith(`${source}: `) ? message.slice(source.length + 2) : message };
    }
  }

  #leftOut(): string {
    const { maxLength, overlong } = this.#options;
    return overlong === 'truncate'
      ? `the learned part begins after ${maxLength} tokens, where long examples are cut`
      : `more than ${maxLength} tokens; long examples are left out`;
  }
}
