/** Where a participant keeps what it must not forget: small named files in a directory of its own, or, in a simulation, memory. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CutlayerError } from '../../../src/errors.js';
import { lockRun, type RunLock } from '../../../src/files/run-lock.js';

/** Named byte strings. A write has happened for good when its promise resolves, or not at all. */
export interface StateStore {
  /** For what is a directory itself: checkpoints, adapters. Undefined: they are not written. */
  readonly directory: string | undefined;
  /** Undefined: there is none of that name. */
  read(name: string): Promise<Uint8Array | undefined>;
  write(name: string, bytes: Uint8Array | string): Promise<void>;
  /** Adds one line to the end; `durable` false: a power cut may lose it. */
  append(name: string, line: string, durable?: boolean): Promise<void>;
  remove(name: string): Promise<void>;
  close(): Promise<void>;
}

/** A directory (0700) of files (0600), which one process at a time may use. */
export class DirectoryState implements StateStore {
  readonly directory: string;
  readonly #lock: RunLock;

  private constructor(directory: string, lock: RunLock) {
    this.directory = directory;
    this.#lock = lock;
  }

  /** Takes the directory's lock. @throws CutlayerError ALREADY_EXISTS naming the process that holds it; IO_ERROR */
  static async open(directory: string): Promise<DirectoryState> {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => undefined); // the lock says what is wrong
    const lock = await lockRun(directory).catch((caught: unknown) => {
      const { code, message, details } = CutlayerError.from(caught);
      throw new CutlayerError(
        code,
        message.replaceAll('--out', '--state-dir').replace('writing a run here', 'taking part in a federation here'),
        {
          details,
          cause: caught,
        },
      );
    });
    const state = new DirectoryState(directory, lock);
    for (const name of await readdir(directory)) if (name.endsWith('.tmp')) await rm(join(directory, name), { force: true });
    return state;
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(join(this.directory, name)));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw this.#failure(name, 'read', cause);
    }
  }

  async write(name: string, bytes: Uint8Array | string): Promise<void> {
    const temporary = join(this.directory, `${name}.${randomUUID()}.tmp`);
    try {
      await writePrivate(temporary, 'wx', bytes, true);
      await rename(temporary, join(this.directory, name));
      await this.#sync();
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw this.#failure(name, 'written', cause);
    }
  }

  async append(name: string, line: string, durable = true): Promise<void> {
    await writePrivate(join(this.directory, name), 'a', `${line}\n`, durable).catch((cause: unknown) => {
      throw this.#failure(name, 'written', cause);
    });
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.directory, name), { force: true });
    await this.#sync();
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  async #sync(): Promise<void> {
    const handle = await open(this.directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  #failure(name: string, what: string, cause: unknown): CutlayerError {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'it failed';
    return new CutlayerError('IO_ERROR', `${join(this.directory, name)}: cannot be ${what} (${reason}); nothing was sent`, { cause });
  }
}

/** For simulations and tests: gone with the process. */
export class MemoryState implements StateStore {
  readonly directory = undefined;
  readonly #files = new Map<string, Uint8Array>();

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#files.get(name)?.slice();
  }

  async write(name: string, bytes: Uint8Array | string): Promise<void> {
    this.#files.set(name, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes.slice());
  }

  async append(name: string, line: string, durable = true): Promise<void> {
    // Logs are for people who look into a directory.
    if (!durable) return;
    const before = this.#files.get(name) ?? new Uint8Array(0);
    this.#files.set(name, new Uint8Array(Buffer.concat([before, new TextEncoder().encode(`${line}\n`)])));
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }

  async close(): Promise<void> {}
}

async function writePrivate(path: string, flags: 'wx' | 'a', content: Uint8Array | string, durable: boolean): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(content);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** A JSON file of a store. @throws CutlayerError IO_ERROR when it is there and is not JSON */
export async function readJson(state: StateStore, name: string): Promise<unknown> {
  const bytes = await state.read(name);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw brokenFile(state, name, cause);
  }
}

/** What to say of a file that this program did not write like that. */
export function brokenFile(state: StateStore, name: string, cause: unknown): CutlayerError {
  const where = state.directory === undefined ? name : join(state.directory, name);
  return new CutlayerError(
    'IO_ERROR',
    `${where}: not what was written here; join again with another --state-dir. An older copy of this directory must not be put back: ` +
      'this member would not know what it has said since, and could say it twice in two ways',
    { cause },
  );
}
