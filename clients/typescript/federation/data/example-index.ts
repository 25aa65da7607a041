/**
 * The durable order of arrival: which examples this participant has seen, by keyed hash, and as the how-manieth. No text is in it. It outlives restarts
 * and files that come and go, so that "new since" means the same tomorrow.
 *
 * One file, appended to: 8 bytes of magic, the 32-byte key, then per example 24 bytes of HMAC-SHA256 and 4 of CRC-32C. What a crash left half written at the
 * end is cut off when it is opened.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { CutlayerError } from '../../../../src/errors.js';
import { writeFileAtomic } from '../../../../src/files/atomic-file.js';
import { crc32c } from '../../training/tensorboard/crc32c.js';

const MAGIC = Buffer.from('CLXIDX1\n', 'latin1');
const KEY_BYTES = 32;
const HASH_BYTES = 24;
const ENTRY_BYTES = HASH_BYTES + 4;
const HEADER_BYTES = MAGIC.length + KEY_BYTES;

/** Most examples that are remembered: 112 MB of file. */
const MAX_ENTRIES = 4_000_000;

/** Where each example stands in the order of arrival. */
export class ExampleIndex {
  readonly #file: FileHandle;
  readonly #key: Buffer;
  /** Hash (latin1) to ordinal; a Map keeps the order of insertion, which is the ordinals' own. */
  readonly #ordinals: Map<string, number>;
  #pending: Buffer[] = [];
  /** Bytes that are written for certain. */
  #end: number;

  private constructor(file: FileHandle, key: Buffer, ordinals: Map<string, number>) {
    this.#file = file;
    this.#key = key;
    this.#ordinals = ordinals;
    this.#end = HEADER_BYTES + ordinals.size * ENTRY_BYTES;
  }

  /** @param key 32 bytes for a file that is made now; random ones by default. @throws CutlayerError IO_ERROR, INVALID_DATA for another kind of file */
  static async open(path: string, key: Uint8Array = randomBytes(KEY_BYTES)): Promise<ExampleIndex> {
    const file = await open(path, 'r+').catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw ioError(path, error);
      await writeFileAtomic(path, Buffer.concat([MAGIC, key]));
      const made = await open(path, 'r+');
      await made.chmod(0o600);
      return made;
    });
    try {
      const bytes = await file.readFile();
      if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
        throw new CutlayerError(
          'INVALID_DATA',
          `${path}: expected an index of examples, got another file; move it away to start a new one (everything then counts as new)`,
        );
      }
      const ordinals = readEntries(bytes);
      await file.truncate(HEADER_BYTES + ordinals.size * ENTRY_BYTES);
      return new ExampleIndex(file, Buffer.from(bytes.subarray(MAGIC.length, HEADER_BYTES)), ordinals);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Examples ever seen: the ordinal of the next one. */
  get size(): number {
    return this.#ordinals.size;
  }

  /** The keyed hash of a content, latin1. */
  hash(content: string): string {
    return createHmac('sha256', this.#key).update(content).digest().subarray(0, HASH_BYTES).toString('latin1');
  }

  /** A seed that is this participant's own and never changes. */
  get seed(): number {
    return this.#key.readUInt32LE(0);
  }

  /** An example's ordinal; a new one gets the next, which counts once {@link flush} has returned. @throws CutlayerError DATA_FULL */
  ordinalOf(hash: string): number {
    const known = this.#ordinals.get(hash);
    if (known !== undefined) return known;
    if (this.#ordinals.size >= MAX_ENTRIES) {
      throw new CutlayerError('DATA_FULL', `examples: ${MAX_ENTRIES} have been seen, which is the most; start with a new --state-dir`);
    }
    const ordinal = this.#ordinals.size;
    this.#ordinals.set(hash, ordinal);
    const bytes = Buffer.from(hash, 'latin1');
    const entry = Buffer.alloc(ENTRY_BYTES);
    bytes.copy(entry);
    entry.writeUInt32LE(crc32c(bytes), HASH_BYTES);
    this.#pending.push(entry);
    return ordinal;
  }

  /** Writes new ordinals down. After a failure the next call writes the same ones again. @throws CutlayerError IO_ERROR */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const entries = this.#pending;
    const bytes = Buffer.concat(entries);
    try {
      await this.#file.write(bytes, 0, bytes.length, this.#end);
      await this.#file.sync();
    } catch (error) {
      throw ioError('index of examples', error);
    }
    this.#end += bytes.length;
    this.#pending = this.#pending.slice(entries.length);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Entries up to the first that is cut off or damaged: only the end of the file can be, and what it held counts as new. */
function readEntries(bytes: Buffer): Map<string, number> {
  const ordinals = new Map<string, number>();
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const hash = bytes.subarray(at, at + HASH_BYTES);
    if (bytes.readUInt32LE(at + HASH_BYTES) !== crc32c(hash)) break;
    ordinals.set(hash.toString('latin1'), ordinals.size);
  }
  return ordinals;
}

function ioError(path: string, cause: unknown): CutlayerError {
  return new CutlayerError('IO_ERROR', `${path}: cannot be read or written (${(cause as NodeJS.ErrnoException).code ?? 'it failed'})`, {
    cause,
  });
}
