/**
 * The secret from which noise is drawn. The same row of the same text gets the same noise each time
 * that it is sent. So nothing can be averaged, and a replay gives the same bits.
 *
 * A row's stream is AES-256 in counter mode under HMAC-SHA-256(secret, stage, record, tokens so
 * far).
 */
import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { CutlayerError } from '../../../src/errors.js';

const SECRET_BYTES = 32;
const NO_IV = new Uint8Array(16);

/** Gives the next bytes of a row's own stream. */
export type RowBytes = (count: number) => Uint8Array;

export class NoiseSecret {
  readonly #key: Uint8Array;

  private constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** A secret of the operating system's generator. */
  static fresh(): NoiseSecret {
    return new NoiseSecret(randomBytes(SECRET_BYTES));
  }

  /** @param text 64 hexadecimal digits @param where Names its origin @throws CutlayerError */
  static parse(text: string, where: string): NoiseSecret {
    if (/^[0-9a-f]{64}$/i.test(text.trim())) return new NoiseSecret(Buffer.from(text.trim(), 'hex'));
    throw new CutlayerError('INVALID_OPTION', `${where}: expected 64 hexadecimal digits; make some with: openssl rand -hex 32`);
  }

  /** As {@link NoiseSecret.parse} takes it. */
  text(): string {
    return Buffer.from(this.#key).toString('hex');
  }

  /**
   * Streams of the rows of a text's last `count` tokens.
   * @param stage Stages of other names have other streams.
   */
  *streams(stage: string, record: string, tokens: readonly number[], count: number): Generator<RowBytes> {
    let prefix = createHash('sha256').update(`${stage}\0${record}`).digest();
    for (const [at, token] of tokens.entries()) {
      prefix = createHash('sha256').update(prefix).update(Uint32Array.of(token)).digest();
      if (at >= tokens.length - count) yield this.#stream(prefix);
    }
  }

  #stream(prefix: Uint8Array): RowBytes {
    const cipher = createCipheriv('aes-256-ctr', createHmac('sha256', this.#key).update(prefix).digest(), NO_IV);
    return (bytes) => cipher.update(new Uint8Array(bytes));
  }
}
