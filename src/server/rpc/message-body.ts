/**
 * Assembles a message as its bytes arrive: the one of a unary call, or one of a stream's.
 * Fragments are copied into one buffer at once, so that a small frame costs what it carries.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md Length-Prefixed-Message
 */
import { CutlayerError } from '../../errors.js';
import type { HeldBytes } from './byte-budget.js';

const PREFIX_BYTES = 5;
const FIRST_CAPACITY = 64 * 1024;
/** Frames that may be of any size; further ones carry this many bytes on average. */
const FREE_FRAMES = 1024;
const LEAST_MEAN_FRAME_BYTES = 128;

const unimplemented = (message: string): CutlayerError => new CutlayerError('UNIMPLEMENTED', message);

/** A message that is being received. */
export class MessageBody {
  readonly #maxBytes: number;
  readonly #held: HeldBytes;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Undefined until the prefix is complete. */
  #length: number | undefined;
  #message = Buffer.alloc(0);
  #received = 0;
  #frames = 0;
  #reserved = false;

  constructor(maxBytes: number, held: HeldBytes) {
    this.#maxBytes = maxBytes;
    this.#held = held;
  }

  /**
   * Takes room for the whole message at once, now or as soon as its length is known.
   * @throws CutlayerError QUEUE_FULL
   */
  reserve(): void {
    this.#reserved = true;
    if (this.#length !== undefined) this.#makeRoom(this.#length);
  }

  /** Whether all its bytes have arrived. */
  get complete(): boolean {
    return this.#length === this.#received;
  }

  /**
   * Takes the payload of one frame, which ends with the message.
   * @throws CutlayerError MESSAGE_TOO_LARGE, QUEUE_FULL, INVALID_ARGUMENT (frames too small),
   *   UNIMPLEMENTED (compression, a second message)
   */
  push(chunk: Buffer): void {
    if (this.take(chunk) < chunk.length) throw unimplemented('request: expected one message, got a second one');
  }

  /**
   * Takes the bytes of one frame that belong to the message.
   * @returns how many do; the others are the next message's
   * @throws CutlayerError as push, but for a second message
   */
  take(chunk: Buffer): number {
    this.#frames++;
    const inPrefix = this.#length === undefined ? this.#pushPrefix(chunk) : 0;
    if (this.#length === undefined) return inPrefix;
    const taken = Math.min(chunk.length, inPrefix + this.#length - this.#received);
    const end = this.#received + taken - inPrefix;
    if (this.#frames > FREE_FRAMES && end < (this.#frames - FREE_FRAMES) * LEAST_MEAN_FRAME_BYTES) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `request: expected DATA frames of at least ${LEAST_MEAN_FRAME_BYTES} bytes on average, got smaller ones`,
      );
    }
    this.#makeRoom(end);
    chunk.copy(this.#message, this.#received, inPrefix, taken);
    this.#received = end;
    return taken;
  }

  /**
   * The message, when the caller has sent everything.
   * @throws CutlayerError INVALID_ARGUMENT, UNIMPLEMENTED (no message)
   */
  finish(): Buffer {
    if (this.#prefixBytes === 0) throw unimplemented('request: expected one message, got none');
    if (this.#length === undefined || this.#received < this.#length) {
      throw new CutlayerError('INVALID_ARGUMENT', 'request: expected a whole message, got one that ends early');
    }
    return this.#message.subarray(0, this.#length);
  }

  /** @returns how many bytes of the chunk belong to the prefix */
  #pushPrefix(chunk: Buffer): number {
    const taken = chunk.copy(this.#prefix, this.#prefixBytes);
    this.#prefixBytes += taken;
    if (this.#prefixBytes < PREFIX_BYTES) return taken;
    if (this.#prefix[0] !== 0) throw unimplemented('request: expected an uncompressed message, got a compressed one');
    const length = this.#prefix.readUInt32BE(1);
    if (length > this.#maxBytes) {
      throw new CutlayerError('MESSAGE_TOO_LARGE', `request: expected at most ${this.#maxBytes} bytes, got ${length}`, {
        details: { limit: this.#maxBytes },
      });
    }
    this.#length = length;
    if (this.#reserved) this.#makeRoom(length);
    return taken;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#message.length || this.#length === undefined) return;
    const doubled = Math.max(bytes, 2 * this.#message.length, FIRST_CAPACITY);
    const capacity = this.#reserved ? this.#length : Math.min(this.#length, doubled);
    this.#held.growTo(capacity);
    // Pages that nothing is written to take no memory: a length that is only claimed costs nothing.
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#message.copy(grown, 0, 0, this.#received);
    this.#message = grown;
  }
}
