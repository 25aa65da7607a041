/** One file of examples: its lines become records, which leave the store with it. */
import { basename } from 'node:path';
import type { ReadRecord, RecordReader } from '../../intake/record-reader.js';
import type { ExampleIndex } from './example-index.js';
import type { ExampleStore } from './example-store.js';
import type { DataEvent } from './local-data.js';
import type { RejectedList } from './rejected-list.js';
import { TailedFile, type TailedLine } from './tailed-file.js';

/** What all files of a folder share. */
export interface SharedState {
  readonly reader: RecordReader;
  readonly index: ExampleIndex;
  readonly store: ExampleStore;
  readonly rejected: RejectedList;
}

/** A file, and which records its lines gave. */
export class SourceFile {
  readonly #tail: TailedFile;
  readonly #role: 'folder' | 'heldOut';
  readonly #shared: SharedState;
  readonly #name: string;
  #hashes: string[] = [];
  #rejected = 0;
  #saidUnreadable = false;
  #saidIncomplete = false;

  constructor(path: string, role: 'folder' | 'heldOut', shared: SharedState) {
    this.#tail = new TailedFile(path);
    this.#role = role;
    this.#shared = shared;
    this.#name = basename(path);
  }

  /** Lines that are no examples. */
  get rejected(): number {
    return this.#rejected;
  }

  get incomplete(): boolean {
    return this.#tail.incomplete;
  }

  /** Reads what is new. @returns true when it stopped because the store is full */
  async read(emit: (event: DataEvent) => void, signal?: AbortSignal): Promise<boolean> {
    const file = this.#name;
    let full = false;
    let replaced = false;
    let rejectedLine = 0;
    const before = { size: this.#shared.store.size, rejected: this.#rejected };
    const outcome = await this.#tail.read(
      {
        onReset: () => {
          replaced = true;
          this.forget();
          before.size = this.#shared.store.size;
          before.rejected = 0;
        },
        onLine: (line) => {
          const taken = this.#take(line);
          if (taken === 'rejected' && rejectedLine === 0) rejectedLine = line.number;
          full ||= taken === 'full';
          return taken !== 'full';
        },
      },
      signal,
    );
    // A file that went between listing and opening is seen as gone by the next look at the folder.
    const unreadable = outcome === 'unreadable';
    if (unreadable && !this.#saidUnreadable) emit({ kind: 'unreadable', file });
    this.#saidUnreadable = unreadable;
    if (replaced) emit({ kind: 'replaced', file });
    const examples = this.#shared.store.size - before.size;
    if (examples > 0) emit({ kind: 'added', file, examples });
    const lines = this.#rejected - before.rejected;
    if (lines > 0) emit({ kind: 'rejected', file, lines, line: rejectedLine });
    if (this.incomplete && !this.#saidIncomplete) emit({ kind: 'incomplete', file });
    this.#saidIncomplete = this.incomplete;
    return full;
  }

  /** What its lines gave counts no more. */
  forget(): void {
    for (const hash of this.#hashes) this.#shared.store.removeLine(hash, this.#role);
    this.#hashes = [];
    this.#rejected = 0;
  }

  #take(line: TailedLine): 'taken' | 'rejected' | 'full' {
    const { reader, index, store } = this.#shared;
    if (line.text === undefined) return this.#reject(line.number, line.problem);
    if (line.text.trim() === '') return 'taken';
    const read = reader.read(line.text, `${this.#name}:${line.number}`);
    if ('reason' in read) return this.#reject(line.number, read.reason);
    const { content, examples }: ReadRecord = read;
    const hash = index.hash(content);
    if (store.get(hash) === undefined && !store.hasRoom(examples)) return 'full';
    const ordinal = index.ordinalOf(hash);
    this.#hashes.push(store.addLine({ hash, ordinal, examples }, this.#role).hash);
    return 'taken';
  }

  #reject(line: number, reason: string): 'rejected' {
    this.#rejected += 1;
    this.#shared.rejected.add(this.#name, line, reason);
    return 'rejected';
  }
}
