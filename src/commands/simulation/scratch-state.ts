/** A simulated participant's state: files in a directory that goes with the simulation, so that a hundred participants cost no memory. Nothing is synced. */
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateStore } from '../../../clients/typescript/federation/state-store.js';
import { CutlayerError } from '../../errors.js';
import { writeFileAtomic } from '../../files/atomic-file.js';

/** See the module's header. */
export class ScratchState implements StateStore {
  /** Checkpoints and adapters of single participants are not written. */
  readonly directory = undefined;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory. @throws CutlayerError IO_ERROR */
  static async open(directory: string): Promise<ScratchState> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw failure(directory, cause);
    });
    return new ScratchState(directory);
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(this.#path(name)));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw failure(this.#path(name), cause);
    }
  }

  async write(name: string, bytes: Uint8Array | string): Promise<void> {
    await writeFileAtomic(this.#path(name), bytes, { mode: 0o600, durable: false });
  }

  async append(name: string, line: string, durable = true): Promise<void> {
    // Logs are for people who look into a directory.
    if (durable) await appendFile(this.#path(name), `${line}\n`, { mode: 0o600 });
  }

  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true });
  }

  async close(): Promise<void> {}

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

function failure(path: string, cause: unknown): CutlayerError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'it failed';
  return new CutlayerError('IO_ERROR', `${path}: cannot be read or written (${reason})`, { cause });
}
