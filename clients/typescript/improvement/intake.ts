/** Where examples come in: files, records that are handed in, and feedback. Each content once. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { CutlayerError } from '../../../src/errors.js';
import type { Admission } from '../intake/admission.js';
import { readFeedback } from '../intake/feedback.js';
import { type ExampleStore, MAX_RECORD_BYTES } from './example-log.js';
import type { StoredExample } from './stored-example.js';
import type { Trainer } from './trainer.js';

/** Lines between which other work gets its turn: each is tokenized. */
const LINES_AT_A_TIME = 32;

/** A record as it was handed in. */
export type GivenExample = Pick<StoredExample, 'record' | 'origin' | 'id' | 'rating'>;

export class Intake {
  readonly #log: ExampleStore;
  readonly #trainer: Pick<Trainer, 'read'>;
  readonly #now: () => number;
  /** Each request waits for the one before. */
  readonly #turn = new Mutex();

  constructor(log: ExampleStore, trainer: Pick<Trainer, 'read'>, now: () => number) {
    this.#log = log;
    this.#trainer = trainer;
    this.#now = now;
  }

  /**
   * Takes records: new and right ones are on disk when this returns.
   * @param lines JSON. @returns One outcome per line. @throws CutlayerError DATA_FULL, IO_ERROR
   */
  admit(lines: readonly string[], origin: Exclude<StoredExample['origin'], 'feedback'>): Promise<readonly Admission[]> {
    return this.#take(lines, (record) => ({ record, origin }));
  }

  /** As {@link admit}, of feedback on completions. */
  feedback(lines: readonly string[]): Promise<readonly Admission[]> {
    return this.#take(lines, (line) => {
      const { record, id, rating } = readFeedback(line);
      return { record, origin: 'feedback', ...(id !== undefined && { id }), ...(rating !== undefined && { rating }) };
    });
  }

  /** As {@link admit}, of what another process has read and kept for this one. */
  received(examples: readonly GivenExample[]): Promise<readonly Admission[]> {
    const records = examples.map(({ record }) => record);
    return this.#take(records, (_, at) => {
      const { record, origin, id, rating } = examples[at]!; // one for each record
      return { record, origin, ...(id !== undefined && { id }), ...(rating !== undefined && { rating }) };
    });
  }

  /** Resolves when what was under way is stored. */
  async settle(): Promise<void> {
    await this.#turn.waitForUnlock();
  }

  #take(lines: readonly string[], given: (line: string, at: number) => GivenExample): Promise<readonly Admission[]> {
    return this.#turn.runExclusive(async () => {
      const taken = new Map<string, StoredExample>();
      const outcomes: Admission[] = [];
      for (const [at, line] of lines.entries()) {
        if (at % LINES_AT_A_TIME === LINES_AT_A_TIME - 1) await setImmediate();
        const read = this.#read(line, at, given);
        const key = 'reason' in read ? '' : `${read.digest} ${read.id ?? ''} ${read.rating ?? ''}`;
        if ('reason' in read) outcomes.push(read);
        else if (taken.has(key) || this.#log.has(read)) outcomes.push('duplicate');
        else {
          taken.set(key, read);
          outcomes.push('accepted');
        }
      }
      if (taken.size > 0) await this.#log.append([...taken.values()]);
      return outcomes;
    });
  }

  #read(line: string, at: number, given: (line: string, at: number) => GivenExample): StoredExample | { readonly reason: string } {
    const bytes = Buffer.byteLength(line);
    if (bytes > MAX_RECORD_BYTES) return { reason: `expected at most ${MAX_RECORD_BYTES} bytes, got ${bytes}` };
    try {
      const example = given(line, at);
      const read = this.#trainer.read(example.record, `example ${at}`);
      if ('reason' in read) return read;
      return { ...example, digest: createHash('sha256').update(read.content).digest('hex'), at: this.#now() };
    } catch (caught) {
      return { reason: CutlayerError.from(caught).message };
    }
  }
}
