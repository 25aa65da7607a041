/**
 * The audit log in files of one directory. Lines are appended and flushed before a write resolves;
 * a write that fails leaves the file as it was. A new file begins when one is large; none is
 * removed.
 */

import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFailure } from '../../files/atomic-file.js';
import { lockRun, type RunLock } from '../../files/run-lock.js';
import { auditFiles, type FileEnd, fileEnd, fileName, firstOf } from './audit-files.js';
import type { AuditSink } from './audit-log.js';
import { beforeFirst, broken, type ChainHead, type Sealed } from './chain.js';

/** Size at which a new file begins. */
export const FILE_BYTES = 64 * 2 ** 20;

/** What opening a directory found. */
export interface OpenedFiles {
  readonly sink: FileSink;
  /** The last entry that is there. */
  readonly head: ChainHead;
  /** The incomplete last line that was cut off. */
  readonly torn: FileEnd['torn'];
}

/** How a directory is opened. */
export interface FileSinkOptions {
  readonly maxBytes?: number;
  readonly waitMs?: number;
}

/** Files of one directory, of which the last one grows. */
export class FileSink implements AuditSink {
  readonly #dir: string;
  readonly #lock: RunLock;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #path = '';
  #bytes = 0;
  /** A failed write may have left a part of its lines. */
  #dirty = false;

  private constructor(dir: string, lock: RunLock, maxBytes: number) {
    this.#dir = dir;
    this.#lock = lock;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens a directory, made when missing, for one process.
   * @param options.waitMs how long another process is waited for that writes to it
   * @throws CutlayerError ALREADY_EXISTS for one that another process writes to; AUDIT_BROKEN when
   *   its last entry cannot be continued; IO_ERROR
   */
  static async open(dir: string, { maxBytes = FILE_BYTES, waitMs }: FileSinkOptions = {}): Promise<OpenedFiles> {
    await mkdir(dir, { recursive: true, mode: 0o700 }).catch(() => undefined); // the lock says why
    const lock = await lockRun(dir, { flag: '--audit', activity: 'writing the audit log here', waitMs });
    try {
      const sink = new FileSink(dir, lock, maxBytes);
      return { sink, ...(await sink.#continue()) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async write(lines: readonly Sealed[]): Promise<void> {
    const [first] = lines;
    if (first === undefined) return;
    try {
      if (this.#dirty) await this.#mend();
      if (this.#file === undefined || this.#bytes >= this.#maxBytes) await this.#begin(first.head.sequence);
      const text = lines.map(({ line }) => `${line}\n`).join('');
      this.#dirty = true;
      await this.#file!.appendFile(text);
      await this.#file!.datasync();
      this.#dirty = false;
      this.#bytes += Buffer.byteLength(text);
    } catch (error) {
      await this.#mend().catch(() => undefined); // the next write begins with it
      throw writeFailure(this.#path === '' ? this.#dir : this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    await this.#lock.release();
  }

  /** Goes on after what is there. */
  async #continue(): Promise<{ readonly head: ChainHead; readonly torn: FileEnd['torn'] }> {
    const files = [...(await auditFiles(this.#dir))];
    let torn: FileEnd['torn'];
    for (let path = files.pop(); path !== undefined; path = files.pop()) {
      const end = await fileEnd(path);
      torn ??= end.torn;
      if (end.torn !== undefined) await truncate(path, end.bytes);
      if (end.last === undefined) {
        // A process was killed before the first entry of a new file was whole.
        await rm(path);
        continue;
      }
      if (end.last.sequence < firstOf(path)!) throw broken(path, `its last entry is ${end.last.sequence}, less than its name says`);
      [this.#path, this.#bytes] = [path, end.bytes];
      this.#file = await open(path, 'a', 0o600);
      await this.#file.sync();
      return { head: { sequence: end.last.sequence, hash: end.last.hash }, torn };
    }
    return { head: beforeFirst, torn };
  }

  /** Begins a file with the entry of a number. */
  async #begin(sequence: number): Promise<void> {
    const path = join(this.#dir, fileName(sequence));
    const file = await open(path, 'ax', 0o600);
    await this.#file?.close();
    [this.#file, this.#path, this.#bytes] = [file, path, 0];
    await syncDirectory(this.#dir);
  }

  /** Takes off what a failed write has left. */
  async #mend(): Promise<void> {
    if (!this.#dirty) return;
    await this.#file!.truncate(this.#bytes);
    this.#dirty = false;
  }
}
