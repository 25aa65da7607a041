/**
 * Digests of a session's rows, one a row: of the row, and of all before it. So equal digests mean
 * equal rows from the session's start, and a session that drops rows needs nothing else.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Tensor } from '../../tensor/tensor.js';
import type { AdapterInput } from '../engine/step-inputs.js';

const DIGEST_BYTES = 32;

/** The chain of one session. */
export class RowDigests {
  /** The head, then 32 bytes a row. */
  readonly #digests: Uint8Array;

  private constructor(digests: Uint8Array) {
    this.#digests = digests;
  }

  /**
   * A chain without rows. Its head has the backbone, its rope, and the prefix's keys and values.
   * The rows of a soft prompt are rows of the chain.
   * @param maxRows rows that it may have
   */
  static begin(
    { backboneDigest, longRope }: { readonly backboneDigest: string; readonly longRope: boolean },
    adapter: AdapterInput,
    maxRows: number,
  ): RowDigests {
    const digests = new Uint8Array(DIGEST_BYTES * (1 + maxRows));
    const kind = adapter.kind === 'prefix' ? 'prefix' : 'none';
    const head = createHash('sha256').update(`rows ${backboneDigest} ${longRope ? 'long' : 'short'} ${kind}`);
    digests.set((adapter.kind === 'prefix' ? updated(head, adapter.value.data) : head).digest());
    return new RowDigests(digests);
  }

  /**
   * Goes on with rows [n, hiddenSize] after the first `from` ones; those of before are forgotten.
   */
  append(from: number, { shape, data }: Tensor<'float32'>): void {
    const [count, width] = shape as readonly [number, number];
    for (let row = 0; row < count; row++) {
      const before = createHash('sha256').update(this.#at(from + row));
      const values = data.subarray(row * width, (row + 1) * width);
      this.#digests.set(updated(before, values).digest(), DIGEST_BYTES * (from + row + 1));
    }
  }

  /** The name of the first `rows` rows. */
  after(rows: number): string {
    return Buffer.from(this.#at(rows)).toString('hex');
  }

  copy(): RowDigests {
    return new RowDigests(this.#digests.slice());
  }

  #at(rows: number): Uint8Array {
    return this.#digests.subarray(DIGEST_BYTES * rows, DIGEST_BYTES * (rows + 1));
  }
}

const updated = (hash: Hash, { buffer, byteOffset, byteLength }: Float32Array): Hash =>
  hash.update(new Uint8Array(buffer, byteOffset, byteLength));
