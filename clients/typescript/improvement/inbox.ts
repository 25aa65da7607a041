/**
 * Examples that another process hands in, in the folder `inbox` of a state directory. `client
 * serve` writes a file for each request; `client improve` takes what is in it and removes it. A
 * file is whole and on disk before its sender is answered.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { createFileAtomic, writeFailure, writeFileAtomic } from '../../../src/files/atomic-file.js';
import { parseJson } from '../../../src/files/json-text.js';
import type { FilesTaken } from './data-files.js';
import type { ExampleStore } from './example-log.js';
import type { Intake } from './intake.js';
import { parseStoredExample, type StoredExample } from './stored-example.js';
import type { Vault } from './vault.js';

const FOLDER = 'inbox';
/** Most bytes of the requests that wait. */
const MOST_BYTES = 256 * 2 ** 20;

export interface InboxLimits {
  /** Milliseconds since 1970: files are taken in the order of their times. */
  readonly now?: () => number;
  /** Most requests that wait. */
  readonly mostFiles?: number;
}

const fileSchema = z.union([z.strictObject({ examples: z.array(z.string()) }), z.strictObject({ sealed: z.base64() })]);

export class Inbox implements ExampleStore {
  readonly #folder: string;
  readonly #vault: Vault;
  readonly #now: () => number;
  readonly #mostFiles: number;

  constructor(dir: string, vault: Vault, { now = Date.now, mostFiles = 4096 }: InboxLimits = {}) {
    this.#folder = join(dir, FOLDER);
    this.#vault = vault;
    this.#now = now;
    this.#mostFiles = mostFiles;
  }

  /** The sender does not know what is stored: the taker leaves out what is there. */
  has(): boolean {
    return false;
  }

  /** Puts a file of examples there. @throws CutlayerError DATA_FULL, IO_ERROR */
  async append(examples: readonly StoredExample[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw writeFailure(this.#folder, error);
    });
    const waiting = await waitingIn(this.#folder);
    const text = JSON.stringify({ examples: examples.map((example) => JSON.stringify(example)) });
    const sizes = await Promise.all(waiting.map((name) => sizeOf(join(this.#folder, name))));
    const bytes = sizes.reduce((sum, size) => sum + size, text.length);
    if (waiting.length >= this.#mostFiles || bytes > MOST_BYTES)
      throw new CutlayerError(
        'DATA_FULL',
        `${this.#folder}: ${waiting.length} requests wait (at most ${this.#mostFiles}, of ${MOST_BYTES} bytes); nothing was taken: ` +
          'run cutlayer client improve on this directory, which takes them',
      );
    const name = `${String(this.#now()).padStart(15, '0')}-${randomUUID()}.json`;
    const content = this.#vault.encrypts ? JSON.stringify({ sealed: this.#vault.seal(text, name) }) : text;
    await writeFileAtomic(join(this.#folder, name), content);
  }

  /**
   * Takes what waits. A file that cannot be read is kept under another name and told.
   * @throws CutlayerError DATA_FULL, IO_ERROR, CANCELLED
   */
  async take(intake: Intake, signal?: AbortSignal): Promise<FilesTaken> {
    let [accepted, rejected] = [0, 0];
    let firstProblem: string | undefined;
    for (const name of await waitingIn(this.#folder)) {
      const file = join(this.#folder, name);
      if (signal?.aborted) throw new CutlayerError('CANCELLED', `${file}: reading was cancelled`);
      const examples = await this.#read(name);
      const outcomes = examples === undefined ? [{ reason: 'not what client serve writes, or changed' }] : await intake.received(examples);
      for (const outcome of outcomes) {
        if (outcome === 'accepted') accepted += 1;
        if (typeof outcome === 'string') continue;
        rejected += 1;
        firstProblem ??= `${file}: ${outcome.reason}`;
      }
      // What was taken is on disk by now; a process that is killed here takes it for a duplicate.
      if (examples === undefined) await rename(file, `${file}.refused`);
      else await rm(file, { force: true });
    }
    return { accepted, rejected, firstProblem };
  }

  async #read(name: string): Promise<readonly StoredExample[] | undefined> {
    const file = join(this.#folder, name);
    const content = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new CutlayerError('IO_ERROR', `${file}: cannot be read (${cause.code ?? 'it failed'})`, { cause });
    });
    try {
      const given = fileSchema.parse(parseJson(content));
      const text = 'sealed' in given ? this.#vault.open(given.sealed, name) : content;
      return z
        .object({ examples: z.array(z.string()) })
        .parse(parseJson(text))
        .examples.map(parseStoredExample);
    } catch {
      return undefined;
    }
  }
}

/** Copies what waits to another directory with the same key; what is there stays as it is. */
export async function copyInbox(from: string, to: string): Promise<void> {
  const names = await waitingIn(join(from, FOLDER));
  if (names.length > 0) await mkdir(join(to, FOLDER), { recursive: true, mode: 0o700 });
  for (const name of names) {
    // One that was taken meanwhile is among the stored examples.
    const bytes = await readFile(join(from, FOLDER, name)).catch(() => undefined);
    if (bytes !== undefined) await createFileAtomic(join(to, FOLDER, name), bytes);
  }
}

/** Names of files, in the order of their times. */
async function waitingIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => /^\d{15,}-[0-9a-f-]{36}\.json$/.test(name)).sort();
}

/** 0 for a file that was taken meanwhile. */
async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}
