/** A run's event files, one per start: `tensorboard/events.out.tfevents.<seconds>.<host>.<pid>`. */
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFailure } from '../../../../src/files/atomic-file.js';
import { encodeEvent, FILE_VERSION, type ScalarEvent, SESSION_START } from './event.js';
import { encodeRecord } from './tf-record.js';

const PREFIX = 'events.out.tfevents.';

/** An open event file. Events are written at once, so that curves grow during the run. */
export class TensorBoardLog {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #now: () => number;

  private constructor(path: string, file: FileHandle, now: () => number) {
    this.#path = path;
    this.#file = file;
    this.#now = now;
  }

  /**
   * Begins a file in `dir` beside earlier ones, and voids what they say after `throughStep`.
   * @param now Milliseconds since 1970.
   */
  static async open(dir: string, throughStep: number, now: () => number = Date.now): Promise<TensorBoardLog> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    // TensorBoard reads files in the order of their names: a new one must come last.
    const newest = Math.max(0, ...(await readdir(dir)).map(secondsOf));
    const seconds = Math.max(Math.floor(now() / 1000), newest + 1);
    const name = `${PREFIX}${String(seconds).padStart(10, '0')}.${hostname()}.${process.pid}`;
    const path = join(dir, name);
    const log = new TensorBoardLog(path, await open(path, 'ax', 0o600), now);
    await log.#write({ fileVersion: FILE_VERSION });
    if (throughStep > 0) await log.#write({ step: throughStep + 1, sessionLog: { status: SESSION_START } });
    return log;
  }

  /** Adds scalars of a step, by tag. @throws CutlayerError IO_ERROR (a full disk) */
  async scalars(step: number, values: Readonly<Record<string, number>>): Promise<void> {
    const value = Object.entries(values).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    await this.#write({ step, summary: { value } });
  }

  async close(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
  }

  async #write(event: Omit<ScalarEvent, 'wallTime'>): Promise<void> {
    await this.#file.appendFile(encodeRecord(encodeEvent({ wallTime: this.#now() / 1000, ...event }))).catch((error: unknown) => {
      throw writeFailure(this.#path, error);
    });
  }
}

function secondsOf(name: string): number {
  return name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) || 0 : 0;
}
