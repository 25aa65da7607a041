/**
 * The lines that are no examples: `file`, `line` and the reason, written afresh by each start. The
 * lines themselves stay where they are. A reason may quote the data, so the list is for its owner
 * only (0600), and no log repeats it.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../../src/errors.js';

/** The file in a state directory. */
export const REJECTED_FILE = 'rejected.jsonl';

/** Lines that are listed; more are only counted. */
const MAX_LISTED = 10_000;

export class RejectedList {
  readonly #file: FileHandle | undefined;
  #listed = 0;
  #pending: string[] = [];

  private constructor(file: FileHandle | undefined) {
    this.#file = file;
  }

  /** @param directory of the state; undefined: nothing is listed. @throws CutlayerError IO_ERROR */
  static async open(directory: string | undefined): Promise<RejectedList> {
    if (directory === undefined) return new RejectedList(undefined);
    const path = join(directory, REJECTED_FILE);
    try {
      return new RejectedList(await open(path, 'w', 0o600));
    } catch (cause) {
      throw new CutlayerError('IO_ERROR', `${path}: cannot be written`, { cause });
    }
  }

  add(file: string, line: number, reason: string): void {
    if (this.#file === undefined || this.#listed >= MAX_LISTED) return;
    this.#listed += 1;
    this.#pending.push(`${JSON.stringify({ file, line, reason })}\n`);
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const text = this.#pending.join('');
    this.#pending = [];
    await this.#file?.appendFile(text);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}
