/**
 * A participant's data folder: every `*.jsonl` file in it, read again whenever `refresh` is called.
 * A line counts once it is complete; equal lines count once; lines that are no examples are listed
 * and counted. What leaves the folder is not trained on any more. In memory are token ids only; the
 * state holds keyed hashes and numbers.
 */
import { open, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Mutex } from 'async-mutex';
import { CutlayerError } from '../../../../src/errors.js';
import type { Broadcast } from '../../../../src/protocol/federation/chain.js';
import type { Example, ExampleOptions } from '../../data/examples.js';
import type { TextTokenizer } from '../../data/text-tokenizer.js';
import type { Admission, ExampleSink } from '../../intake/admission.js';
import { DEFAULT_HELD_OUT_SHARE, DEFAULT_REHEARSAL } from '../../intake/default-shares.js';
import { isHeldOut } from '../../intake/held-out.js';
import { RecordReader } from '../../intake/record-reader.js';
import { drawRehearsal, rehearsalCount, type TrainOn } from '../../intake/rehearsal.js';
import type { MemberStore } from '../member-store.js';
import { Arrivals } from './arrivals.js';
import { ExampleIndex } from './example-index.js';
import { ExampleStore, type StoredRecord } from './example-store.js';
import { examplesDigest } from './fixed-data.js';
import { listDataFiles, MAX_FILES } from './folder-files.js';
import type { DataCounts, DataEvent, HeldOut, LocalData, RoundExamples } from './local-data.js';
import { examplesOf } from './own-records.js';
import { RejectedList } from './rejected-list.js';
import { SourceFile } from './source-file.js';
import { LINES_AT_A_TIME } from './tailed-file.js';

/** Examples that are kept when nothing is said. */
export const DEFAULT_MAX_EXAMPLES = 200_000;
/** Tokens that are kept, all examples together: five bytes of memory each. */
const MAX_TOKENS = 100_000_000;

export interface DataFolderOptions {
  readonly directory: string;
  /** The participant's, closed by the caller; its directory gets the list of rejected lines. */
  readonly state: MemberStore;
  readonly tokenizer: TextTokenizer;
  readonly examples: ExampleOptions;
  /** Examples to measure with; without it a share of the folder's. May lie in the folder. */
  readonly heldOutFile?: string | undefined;
  /** Default 0.1. */
  readonly heldOutShare?: number | undefined;
  /** Default `all`. */
  readonly trainOn?: TrainOn | undefined;
  /** With `new`: share of a round's training set that earlier examples make up. Default 0.3. */
  readonly rehearsal?: number | undefined;
  /** Default 200,000. What does not fit waits in its file. */
  readonly maxExamples?: number | undefined;
  /** 32 bytes for the hashes of a state directory that is made now; random by default. */
  readonly splitKey?: Uint8Array | undefined;
  readonly onEvent?: ((event: DataEvent) => void) | undefined;
}

/** Where records that are handed in are kept, in the data folder. */
export const INBOX_FILE = 'inbox.jsonl';

/** A data folder, open. */
export class DataFolder implements LocalData, ExampleSink {
  readonly #options: DataFolderOptions;
  readonly #reader: RecordReader;
  readonly #index: ExampleIndex;
  readonly #arrivals: Arrivals;
  readonly #rejected: RejectedList;
  readonly #store: ExampleStore;
  readonly #share: number;
  readonly #rehearsal: number;
  readonly #files = new Map<string, SourceFile>();
  #full = false;
  #unreadable = false;
  /** Each piece of work waits for the one before. */
  readonly #turn = new Mutex();

  private constructor(options: DataFolderOptions, rejected: RejectedList) {
    this.#options = options;
    this.#reader = new RecordReader(options.tokenizer, options.examples);
    this.#index = ExampleIndex.open(options.state, options.splitKey);
    this.#arrivals = new Arrivals(options.state);
    this.#rejected = rejected;
    this.#share = options.heldOutFile === undefined ? (options.heldOutShare ?? DEFAULT_HELD_OUT_SHARE) : 0;
    this.#rehearsal = options.rehearsal ?? DEFAULT_REHEARSAL;
    this.#store = new ExampleStore({
      maxExamples: options.maxExamples ?? DEFAULT_MAX_EXAMPLES,
      maxTokens: options.examples.maxTotalTokens ?? MAX_TOKENS,
    });
  }

  /**
   * Opens and reads a folder. @throws CutlayerError NOT_FOUND, INVALID_OPTION, INVALID_DATA,
   * IO_ERROR, CANCELLED
   */
  static async open(options: DataFolderOptions, signal?: AbortSignal): Promise<DataFolder> {
    checkShare('held-out share', 'the examples', options.heldOutShare);
    checkShare('rehearsal', "each round's examples", options.rehearsal);
    await expect(options.directory, 'directory');
    if (options.heldOutFile !== undefined) await expect(options.heldOutFile, 'file');
    const rejected = await RejectedList.open(options.state.directory);
    try {
      const folder = new DataFolder(options, rejected);
      await folder.refresh(signal);
      return folder;
    } catch (error) {
      await rejected.close();
      throw error;
    }
  }

  get counts(): DataCounts {
    const { aggregated } = this.#arrivals;
    const counts = { training: 0, heldOut: 0, fresh: 0 };
    for (const record of this.#store.records) {
      const { length } = record.examples;
      if (this.#heldOut(record)) counts.heldOut += length;
      else {
        counts.training += length;
        if (record.ordinal >= aggregated) counts.fresh += length;
      }
    }
    const files = [...this.#files.values()];
    return {
      ...counts,
      rejected: files.reduce((sum, file) => sum + file.rejected, 0),
      duplicates: this.#store.duplicates,
      files: files.length,
      incomplete: files.filter((file) => file.incomplete).length,
      full: this.#full,
    };
  }

  newExamplesReady(wanted: number): boolean {
    return this.counts.fresh >= wanted;
  }

  refresh(signal?: AbortSignal): Promise<void> {
    return this.#turn.runExclusive(() => this.#refresh(signal));
  }

  async roundExamples(round: number, version: number): Promise<RoundExamples> {
    return this.#turn.runExclusive(() => {
      const upTo = this.#arrivals.upToOf(round, this.#index.size);
      const seen = this.#arrivals.seenBy(version);
      const training = this.#store.records.filter((record) => record.ordinal < upTo && !this.#heldOut(record));
      const fresh = training.filter(({ ordinal }) => ordinal >= seen);
      const earlier = training.slice(0, training.length - fresh.length);
      const rehearsed = this.#options.trainOn === 'new' ? this.#drawEarlier(earlier, fresh.length, round) : earlier;
      const examples = examplesOf([...rehearsed, ...fresh]);
      return { examples, digest: examplesDigest(examples), fresh: examplesOf(fresh).length, rehearsed: examplesOf(rehearsed).length };
    });
  }

  heldOut(promoted: number): HeldOut {
    const records = this.#store.records.filter((record) => this.#heldOut(record));
    const seen = this.#arrivals.seenBy(promoted);
    const current = examplesOf(records);
    const earlier = examplesOf(records.filter(({ ordinal }) => ordinal < seen));
    return { current, earlier: earlier.length === 0 ? current : earlier };
  }

  observe(broadcast: Broadcast, member: string): Promise<void> {
    return this.#turn.runExclusive(() => this.#arrivals.observe(broadcast, member));
  }

  /**
   * Takes lines that were handed in: new and right records are in `INBOX_FILE`, on disk, when
   * this returns. The same ones again are duplicates.
   * @param lines JSON, each without a line end in it. @returns One outcome per line.
   * @throws CutlayerError DATA_FULL (nothing was taken), IO_ERROR
   */
  admit(lines: readonly string[]): Promise<readonly Admission[]> {
    return this.#turn.runExclusive(async () => {
      await this.#refresh();
      const hashes = new Set<string>();
      const taken: string[] = [];
      const added: Example[] = [];
      const outcomes: Admission[] = [];
      const judge = (line: string, at: number): Admission => {
        const read = this.#reader.read(line, `example ${at}`);
        if ('reason' in read) return read;
        const hash = this.#index.hash(read.content);
        if (hashes.has(hash) || this.#store.get(hash) !== undefined) return 'duplicate';
        hashes.add(hash);
        taken.push(line);
        added.push(...read.examples);
        return 'accepted';
      };
      for (const [at, line] of lines.entries()) {
        if (at % LINES_AT_A_TIME === LINES_AT_A_TIME - 1) await setImmediate();
        outcomes.push(judge(line, at));
      }
      if (taken.length === 0) return outcomes;
      if (this.#full || !this.#store.hasRoom(added)) {
        throw new CutlayerError(
          'DATA_FULL',
          `examples: ${this.#store.size} of at most ${this.#store.maxExamples} are kept, ${added.length} more do not fit; nothing was taken: move old files out of the data folder, or raise --max-examples`,
        );
      }
      await appendDurably(join(this.#options.directory, INBOX_FILE), taken);
      await this.#refresh();
      return outcomes;
    });
  }

  async close(): Promise<void> {
    await this.#turn.runExclusive(() => this.#rejected.close());
  }

  #heldOut(record: StoredRecord): boolean {
    return record.lines.heldOut > 0 || isHeldOut(record.hash, this.#share);
  }

  #drawEarlier(earlier: readonly StoredRecord[], fresh: number, round: number): readonly StoredRecord[] {
    const count = rehearsalCount(fresh, earlier.length, this.#rehearsal);
    const ordinals = earlier.map(({ ordinal }) => ordinal);
    const drawn = new Set(drawRehearsal(ordinals, count, this.#index.seed, round));
    return earlier.filter(({ ordinal }) => drawn.has(ordinal));
  }

  async #refresh(signal?: AbortSignal): Promise<void> {
    const { directory, heldOutFile, onEvent } = this.#options;
    const listed = await listDataFiles(directory, heldOutFile);
    if ((listed === undefined) !== this.#unreadable) {
      this.#unreadable = listed === undefined;
      if (this.#unreadable) onEvent?.({ kind: 'unreadable', file: directory });
    }
    const wasFull = this.#full;
    this.#full = (listed?.length ?? 0) > MAX_FILES;
    // A folder that cannot be read now (a disk that is away) takes nothing back.
    if (listed !== undefined) this.#forgetAllBut(new Set([...listed, ...(heldOutFile === undefined ? [] : [heldOutFile])]));
    if (heldOutFile !== undefined) await this.#read(heldOutFile, 'heldOut', signal);
    for (const path of (listed ?? []).slice(0, MAX_FILES)) await this.#read(path, 'folder', signal);
    this.#index.flush();
    await this.#rejected.flush();
    if (this.#full && !wasFull) onEvent?.({ kind: 'full', examples: this.#store.size });
  }

  #forgetAllBut(paths: ReadonlySet<string>): void {
    for (const [path, file] of this.#files) {
      if (paths.has(path)) continue;
      file.forget();
      this.#files.delete(path);
      this.#options.onEvent?.({ kind: 'removed', file: basename(path) });
    }
  }

  async #read(path: string, role: 'folder' | 'heldOut', signal?: AbortSignal): Promise<void> {
    const file =
      this.#files.get(path) ??
      new SourceFile(path, role, { reader: this.#reader, index: this.#index, store: this.#store, rejected: this.#rejected });
    this.#files.set(path, file);
    try {
      if (await file.read((event) => this.#options.onEvent?.(event), signal)) this.#full = true;
    } catch (caught) {
      if (signal?.aborted) throw new CutlayerError('CANCELLED', 'reading examples was cancelled', { cause: caught });
      throw caught;
    }
  }
}

function checkShare(name: string, whole: string, share: number | undefined): void {
  if (share === undefined || (share >= 0 && share < 1)) return;
  throw new CutlayerError('INVALID_OPTION', `${name}: expected a share from 0 to below 1 of ${whole}, got ${share}`);
}

async function expect(path: string, kind: 'directory' | 'file'): Promise<void> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such ${kind} (or it cannot be read)`, { cause });
  });
  if (kind === 'directory' ? !info.isDirectory() : !info.isFile()) {
    throw new CutlayerError('INVALID_DATA', `${path}: expected a ${kind} of examples`);
  }
}

/**
 * Appends lines durably, and first ends one that a crash cut off. @throws CutlayerError IO_ERROR
 */
async function appendDurably(path: string, lines: readonly string[]): Promise<void> {
  try {
    const file = await open(path, 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const last = Buffer.alloc(1);
      if (size > 0) await file.read(last, 0, 1, size - 1);
      const start = size > 0 && last[0] !== 10 ? '\n' : '';
      await file.appendFile(`${start}${lines.join('\n')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${path}: cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'it failed'})`, { cause });
  }
}
