/**
 * The order of arrival: the examples seen, by keyed hash, each with its ordinal; no text. It
 * outlives restarts and files that come and go, so that "new since" means the same tomorrow.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { CutlayerError } from '../../../../src/errors.js';
import { brokenRow } from '../member-file.js';
import type { MemberStore } from '../member-store.js';

const KEY_BYTES = 32;
const HASH_BYTES = 24;

/** Most examples that are remembered: 96 MB of hashes. */
const MAX_ENTRIES = 4_000_000;

/** Where each example stands in the order of arrival. */
export class ExampleIndex {
  readonly #state: MemberStore;
  readonly #key: Buffer;
  /** Hash (latin1) to ordinal; a Map keeps the order of insertion, which is the ordinals' own. */
  readonly #ordinals = new Map<string, number>();
  #pending: Buffer[] = [];

  private constructor(state: MemberStore, key: Buffer) {
    this.#state = state;
    this.#key = key;
  }

  /** @param key 32 bytes, for a new state. @throws CutlayerError IO_ERROR, STORE_CORRUPT */
  static open(state: MemberStore, key: Uint8Array = randomBytes(KEY_BYTES)): ExampleIndex {
    const known = state.get<{ key: Uint8Array }>('SELECT key FROM example_key')?.key;
    if (known === undefined) state.run('INSERT INTO example_key VALUES (1, ?)', key);
    const index = new ExampleIndex(state, Buffer.from(known ?? key));
    for (const { first, hashes } of state.all<{ first: number; hashes: Uint8Array }>('SELECT first, hashes FROM examples ORDER BY first')) {
      const text = Buffer.from(hashes).toString('latin1');
      if (first !== index.size || text.length % HASH_BYTES !== 0) throw brokenRow(`the examples from ${first} on`, undefined);
      for (let at = 0; at < text.length; at += HASH_BYTES) index.#ordinals.set(text.slice(at, at + HASH_BYTES), index.size);
    }
    return index;
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

  /** An example's ordinal, durable after {@link flush}. @throws CutlayerError DATA_FULL */
  ordinalOf(hash: string): number {
    const known = this.#ordinals.get(hash);
    if (known !== undefined) return known;
    if (this.#ordinals.size >= MAX_ENTRIES) {
      throw new CutlayerError('DATA_FULL', `examples: ${MAX_ENTRIES} have been seen, which is the most; start with a new --state-dir`);
    }
    const ordinal = this.#ordinals.size;
    this.#ordinals.set(hash, ordinal);
    this.#pending.push(Buffer.from(hash, 'latin1'));
    return ordinal;
  }

  /** Writes new ordinals down, again after a failure. @throws CutlayerError IO_ERROR */
  flush(): void {
    if (this.#pending.length === 0) return;
    this.#state.run('INSERT INTO examples VALUES (?, ?)', this.size - this.#pending.length, Buffer.concat(this.#pending));
    this.#pending = [];
  }
}
