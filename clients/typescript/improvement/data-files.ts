/** Files and folders of examples: what is new in them goes to the stored examples. */
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { plainNumbers } from '../data/exact-numbers.js';
import { readLines } from '../data/lines.js';
import { readRows } from '../data/rows.js';
import type { Intake } from './intake.js';
import type { StoredExample } from './stored-example.js';

const MAX_FILES = 4096;
/** Lines that are handed on together. */
const LINES_AT_A_TIME = 256;
/** Lines whose hash is remembered, so that a file that grows is not tokenized again. */
const MAX_REMEMBERED = 1_000_000;
const KINDS = /\.(?:jsonl|ndjson|json|csv|parquet)$/i;

/** What a look at the files gave. */
export interface FilesTaken {
  readonly accepted: number;
  readonly rejected: number;
  /** Of the first rejected line: where it stands and why. It may quote the data. */
  readonly firstProblem: string | undefined;
}

/** A path of examples, read again when a file of it has changed. */
export class DataFiles {
  readonly #path: string;
  readonly #origin: Extract<StoredExample['origin'], 'data' | 'heldOut'>;
  readonly #flag: string;
  /** Size, time and inode of files as they were read. */
  readonly #read = new Map<string, string>();
  readonly #lines = new Set<string>();

  /** @param path A file, or a folder of `.jsonl`, `.json`, `.csv` and `.parquet` files. */
  constructor(path: string, origin: 'data' | 'heldOut', flag: string) {
    this.#path = path;
    this.#origin = origin;
    this.#flag = flag;
  }

  /** Takes what is new. @throws CutlayerError NOT_FOUND, INVALID_DATA, DATA_FULL, CANCELLED */
  async take(intake: Intake, signal?: AbortSignal): Promise<FilesTaken> {
    let [accepted, rejected] = [0, 0];
    let firstProblem: string | undefined;
    for (const file of await this.#files()) {
      const found = await stat(file).catch(() => undefined);
      if (found === undefined) continue; // it went between listing and reading
      const state = `${found.ino} ${found.size} ${found.mtimeMs}`;
      if (this.#read.get(file) === state) continue;
      for await (const batch of this.#batches(file)) {
        if (signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
        const outcomes = await intake.admit(
          batch.map(({ text }) => text),
          this.#origin,
        );
        for (const { text } of batch) if (this.#lines.size < MAX_REMEMBERED) this.#lines.add(hashOf(text));
        outcomes.forEach((outcome, at) => {
          if (outcome === 'accepted') accepted += 1;
          if (typeof outcome === 'string') return;
          rejected += 1;
          firstProblem ??= `${batch[at]!.source}: ${outcome.reason}`;
        });
      }
      this.#read.set(file, state);
    }
    return { accepted, rejected, firstProblem };
  }

  async #files(): Promise<readonly string[]> {
    const found = await stat(this.#path).catch((cause: unknown) => {
      throw new CutlayerError('NOT_FOUND', `${this.#flag} ${this.#path}: no such file or directory (or it cannot be read)`, { cause });
    });
    if (!found.isDirectory()) return [this.#path];
    const names = (await readdir(this.#path)).filter((name) => KINDS.test(name) && !name.startsWith('.')).sort();
    if (names.length > MAX_FILES)
      throw new CutlayerError('LIMIT_EXCEEDED', `${this.#flag} ${this.#path}: expected at most ${MAX_FILES} files, got ${names.length}`);
    return names.map((name) => join(this.#path, name));
  }

  /** Lines that were not read before. */
  async *#batches(file: string): AsyncGenerator<readonly { readonly text: string; readonly source: string }[]> {
    let batch: { readonly text: string; readonly source: string }[] = [];
    for await (const line of linesOf(file)) {
      if (this.#lines.has(hashOf(line.text))) continue;
      batch.push(line);
      if (batch.length < LINES_AT_A_TIME) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

/** Records as JSON; lines of JSON stay as they are written. */
async function* linesOf(file: string): AsyncGenerator<{ readonly text: string; readonly source: string }> {
  if (/\.(?:jsonl|ndjson)$/i.test(file)) {
    for await (const { number, text } of readLines(file)) if (text.trim() !== '') yield { text, source: `${file}:${number}` };
    return;
  }
  for await (const row of readRows(file)) yield { text: JSON.stringify(plainNumbers(row.value())), source: row.source };
}
