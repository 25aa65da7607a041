/**
 * Reads the lines that a growing file has gained. Size, modification time and inode say whether to
 * look. A few bytes before the place read to say whether the file was only appended to. A last line
 * without its end is not there yet.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { MAX_LINE_BYTES } from '../../data/lines.js';

const CHUNK_BYTES = 256 * 1024;
/** Lines between which other work gets its turn: each may take a millisecond to tokenize. */
export const LINES_AT_A_TIME = 32;
/** Bytes at the file's start and before the place read to that must stay what they were. */
const WITNESS_BYTES = 4096;

/** A complete line. `text` is undefined where it is no text, or too long: `problem` says which. */
export type TailedLine =
  | { readonly number: number; readonly text: string }
  | { readonly number: number; readonly text: undefined; readonly problem: string };

/** What became of a file since the last look. */
export type TailOutcome = 'unchanged' | 'read' | 'missing' | 'unreadable';

export interface TailReader {
  /** Another file, or a cut one: earlier lines count no more, and it is read from its start. */
  onReset(): void;
  /** @returns False to stop before this line, which comes again the next time. */
  onLine(line: TailedLine): boolean;
}

/** A file and how far it was read. */
export class TailedFile {
  readonly path: string;
  #seen: { readonly ino: number; readonly size: number; readonly mtimeMs: number } | undefined;
  #offset = 0;
  #lines = 0;
  #head: Buffer = Buffer.alloc(0);
  #tail: Buffer = Buffer.alloc(0);
  #incomplete = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether there is something after the last line's end. */
  get incomplete(): boolean {
    return this.#incomplete;
  }

  /** Reads what is new; files that cannot be read do not throw. @throws the reason of `signal` */
  async read(reader: TailReader, signal?: AbortSignal): Promise<TailOutcome> {
    let file: FileHandle;
    try {
      file = await open(this.path, 'r');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable';
    }
    try {
      const info = await file.stat();
      const { ino, size, mtimeMs } = info;
      if (!info.isFile()) return 'unreadable';
      const seen = this.#seen;
      if (seen !== undefined && seen.ino === ino && seen.size === size && seen.mtimeMs === mtimeMs) return 'unchanged';
      if (seen !== undefined && !(size > seen.size && (await this.#continues(file)))) {
        this.#restart();
        reader.onReset();
      }
      let finished = false;
      try {
        finished = await this.#readOn(file, size, reader, signal);
      } finally {
        // Also when it was stopped: the next look goes on from here.
        await this.#witness(file);
        this.#seen = finished ? { ino, size, mtimeMs } : { ino, size: this.#offset, mtimeMs: -1 };
      }
      return 'read';
    } catch (error) {
      // Only what the file system says is about the file.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      return 'unreadable';
    } finally {
      await file.close();
    }
  }

  #restart(): void {
    this.#offset = 0;
    this.#lines = 0;
    this.#head = Buffer.alloc(0);
    this.#tail = Buffer.alloc(0);
    this.#incomplete = false;
  }

  /** Whether the bytes that were witnessed are still there. */
  async #continues(file: FileHandle): Promise<boolean> {
    const head = await readAt(file, 0, this.#head.length);
    const tail = await readAt(file, this.#offset - this.#tail.length, this.#tail.length);
    return head.equals(this.#head) && tail.equals(this.#tail);
  }

  /** @returns False when the reader stopped. */
  async #readOn(file: FileHandle, size: number, reader: TailReader, signal?: AbortSignal): Promise<boolean> {
    // A last line that is already over the limit is not kept, only counted.
    let pending: Buffer[] = [];
    let pendingBytes = 0;
    let position = this.#offset;
    while (position < size) {
      signal?.throwIfAborted();
      const chunk = await readAt(file, position, Math.min(CHUNK_BYTES, size - position));
      if (chunk.length === 0) break;
      position += chunk.length;
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        const bytes = pendingBytes + end - start;
        const line = bytes > MAX_LINE_BYTES ? undefined : Buffer.concat([...pending, chunk.subarray(start, end)]);
        if (!reader.onLine(this.#decode(line))) return false;
        this.#lines += 1;
        this.#offset += bytes + 1;
        pending = [];
        pendingBytes = 0;
        start = end + 1;
        if (this.#lines % LINES_AT_A_TIME === 0) {
          await setImmediate();
          signal?.throwIfAborted();
        }
      }
      const rest = chunk.subarray(start);
      pendingBytes += rest.length;
      if (pendingBytes <= MAX_LINE_BYTES) pending.push(rest);
      else pending = [];
    }
    this.#incomplete = pendingBytes > 0;
    return true;
  }

  async #witness(file: FileHandle): Promise<void> {
    const bytes = Math.min(WITNESS_BYTES, this.#offset);
    this.#head = await readAt(file, 0, bytes);
    this.#tail = await readAt(file, this.#offset - bytes, bytes);
  }

  #decode(bytes: Buffer | undefined): TailedLine {
    const number = this.#lines + 1;
    if (bytes === undefined) {
      return { number, text: undefined, problem: `a line longer than ${MAX_LINE_BYTES} bytes; expected one JSON object per line` };
    }
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      return { number, text: number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text };
    } catch {
      return { number, text: undefined, problem: 'not valid UTF-8; save the file as UTF-8 JSON lines' };
    }
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
