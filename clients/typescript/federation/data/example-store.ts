/** The examples in a participant's files now, each once, in bounded memory. */
import type { Example } from '../../data/examples.js';

/** A record's examples: one, several windows of a long text, or none by the policy on length. */
export interface StoredRecord {
  readonly hash: string;
  /** Place in the order of arrival. */
  readonly ordinal: number;
  readonly examples: readonly Example[];
  /** Lines that hold it, of the folder and of the file of held-out examples. */
  readonly lines: { folder: number; heldOut: number };
}

export class ExampleStore {
  readonly maxExamples: number;
  readonly maxTokens: number;
  readonly #records = new Map<string, StoredRecord>();
  #examples = 0;
  #tokens = 0;
  #lines = 0;
  #sorted: readonly StoredRecord[] | undefined = [];

  constructor({ maxExamples, maxTokens }: { readonly maxExamples: number; readonly maxTokens: number }) {
    this.maxExamples = maxExamples;
    this.maxTokens = maxTokens;
  }

  get(hash: string): StoredRecord | undefined {
    return this.#records.get(hash);
  }

  /** Whether more examples fit. */
  hasRoom(examples: readonly Pick<Example, 'tokenIds'>[]): boolean {
    const tokens = examples.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
    return this.#examples + examples.length <= this.maxExamples && this.#tokens + tokens <= this.maxTokens;
  }

  /** Examples present. */
  get size(): number {
    return this.#examples;
  }

  /** Lines whose content another line has too. */
  get duplicates(): number {
    return this.#lines - this.#records.size;
  }

  /** Counts one more line of a record that is there, or adds it with its first. */
  addLine(record: Omit<StoredRecord, 'lines'>, of: 'folder' | 'heldOut'): StoredRecord {
    this.#lines += 1;
    const known = this.#records.get(record.hash);
    if (known !== undefined) {
      known.lines[of] += 1;
      return known;
    }
    const stored: StoredRecord = { ...record, lines: { folder: 0, heldOut: 0 } };
    stored.lines[of] = 1;
    this.#records.set(record.hash, stored);
    this.#count(stored, 1);
    return stored;
  }

  /** One line fewer; the record goes with its last. */
  removeLine(hash: string, of: 'folder' | 'heldOut'): void {
    const record = this.#records.get(hash);
    if (record === undefined) return;
    this.#lines -= 1;
    record.lines[of] -= 1;
    if (record.lines.folder + record.lines.heldOut > 0) return;
    this.#records.delete(hash);
    this.#count(record, -1);
  }

  /** All records, in the order of arrival. */
  get records(): readonly StoredRecord[] {
    this.#sorted ??= [...this.#records.values()].sort((a, b) => a.ordinal - b.ordinal);
    return this.#sorted;
  }

  #count({ examples }: StoredRecord, sign: 1 | -1): void {
    this.#examples += sign * examples.length;
    for (const { tokenIds } of examples) this.#tokens += sign * tokenIds.length;
    this.#sorted = undefined;
  }
}
