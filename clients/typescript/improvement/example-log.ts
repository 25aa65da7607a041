/**
 * The stored examples of a state directory, `examples.jsonl`: a line each, durable before it is
 * answered for, never rewritten. So an ordinal means the same example for ever.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { CutlayerError } from '../../../src/errors.js';
import { JsonLines } from '../../../src/files/json-lines.js';
import { parseStoredExample, type StoredExample } from './stored-example.js';
import { openVault, type Vault } from './vault.js';

export const EXAMPLES_FILE = 'examples.jsonl';

/** Most bytes of the file, all lines together; they are in memory. */
const MAX_BYTES = 512 * 2 ** 20;
/** Most bytes of a record. */
export const MAX_RECORD_BYTES = 2 ** 20;
/** Lines between which other work gets its turn. */
const LINES_AT_A_TIME = 64;

const sealedSchema = z.object({ sealed: z.base64() });

/** Where examples are kept once they have been read. */
export type ExampleStore = Pick<ExampleLog, 'has' | 'append'>;

/** The vault of a directory; encryption begins with the first example. @throws as `openVault` */
export async function vaultOf(dir: string, secret: Uint8Array | undefined): Promise<Vault> {
  const stored = await stat(join(dir, EXAMPLES_FILE)).catch(() => undefined);
  return openVault(dir, secret, stored === undefined || stored.size === 0);
}

/** The file, open. */
export class ExampleLog {
  readonly #file: JsonLines<object>;
  readonly #vault: Vault;
  readonly #maxExamples: number;
  readonly #examples: StoredExample[];
  /** Content and verdict of what is there. */
  readonly #known: Set<string>;

  private constructor(file: JsonLines<object>, vault: Vault, examples: StoredExample[], maxExamples: number) {
    this.#file = file;
    this.#vault = vault;
    this.#maxExamples = maxExamples;
    this.#examples = examples;
    this.#known = new Set(examples.map(keyOf));
  }

  /** @throws CutlayerError STORE_CORRUPT naming the line, IO_ERROR */
  static async open(dir: string, vault: Vault, maxExamples: number): Promise<ExampleLog> {
    const examples: StoredExample[] = [];
    const parse = (line: string, where: string): object => {
      try {
        const value: unknown = JSON.parse(line);
        const text = vault.encrypts ? vault.open(sealedSchema.parse(value).sealed, examples.length) : line;
        examples.push(parseStoredExample(text));
        return {};
      } catch (cause) {
        throw new CutlayerError('STORE_CORRUPT', `${where}: not a stored example; restore the file from a backup`, { cause });
      }
    };
    return new ExampleLog(await JsonLines.open<object>(join(dir, EXAMPLES_FILE), { parse }), vault, examples, maxExamples);
  }

  /** In the order of arrival. */
  get examples(): readonly StoredExample[] {
    return this.#examples;
  }

  get size(): number {
    return this.#examples.length;
  }

  /** Whether the same content with the same verdict is there. */
  has(example: Pick<StoredExample, 'digest' | 'id' | 'rating' | 'origin'>): boolean {
    return this.#known.has(keyOf(example));
  }

  /**
   * Appends examples: all are on disk when this returns. A failure keeps those before it, which are
   * duplicates when they are sent again.
   * @throws CutlayerError DATA_FULL (nothing was taken), IO_ERROR
   */
  async append(examples: readonly StoredExample[]): Promise<void> {
    if (this.#examples.length + examples.length > this.#maxExamples || this.#file.bytes > MAX_BYTES) {
      throw new CutlayerError(
        'DATA_FULL',
        `examples: ${this.#examples.length} of at most ${this.#maxExamples} are stored (${this.#file.bytes} of ${MAX_BYTES} bytes), ` +
          `${examples.length} more do not fit; nothing was taken: raise --max-examples, or begin a new --dir`,
      );
    }
    for (const [at, example] of examples.entries()) {
      const text = JSON.stringify(example);
      const line = this.#vault.encrypts ? { sealed: this.#vault.seal(text, this.#examples.length) } : example;
      await this.#file.append(line, { durable: at === examples.length - 1 });
      this.#examples.push(example);
      this.#known.add(keyOf(example));
      if (at % LINES_AT_A_TIME === LINES_AT_A_TIME - 1) await setImmediate();
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function keyOf({ digest, id = '', rating = 0, origin }: Pick<StoredExample, 'digest' | 'id' | 'rating' | 'origin'>): string {
  return `${digest} ${rating} ${origin === 'heldOut'} ${id}`;
}
