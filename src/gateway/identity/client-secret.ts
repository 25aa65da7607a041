/** Secrets of clients. Only a hash is kept; the work of hashing is bounded. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { OAuthError } from './oauth-error.js';

/** scrypt's cost: 32 MiB and about a tenth of a second. @see RFC 7914 */
const COST = { r: 8, p: 1, maxmem: 64 * 2 ** 20 } as const;
const WORK = 2 ** 15;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const SECRET_BYTES = 32;
/** Longer ones are not hashed. */
const MAX_SECRET_CHARS = 256;

/** What is kept of a secret. */
export const secretHashSchema = z.strictObject({ salt: z.base64url().length(22), hash: z.base64url().length(43) });

/** See {@link secretHashSchema}. */
export type SecretHash = z.infer<typeof secretHashSchema>;

/** A new secret, to be shown once. */
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** Bounds of a hasher. */
export interface HasherOptions {
  readonly atOnce?: number;
  readonly mostWaiting?: number;
  /** scrypt's N; a test takes less. */
  readonly work?: number;
}

/** Hashes at most some secrets at once: each has its memory, and a thread of Node's pool. */
export class SecretHasher {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  readonly #work: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** Stands for clients that there are not, so that they take as long. */
  readonly #nobody: SecretHash = {
    salt: randomBytes(SALT_BYTES).toString('base64url'),
    hash: randomBytes(HASH_BYTES).toString('base64url'),
  };

  constructor({ atOnce = 2, mostWaiting = 16, work = WORK }: HasherOptions = {}) {
    this.#atOnce = atOnce;
    this.#work = work;
    this.#mostWaiting = mostWaiting;
  }

  /** @throws OAuthError temporarily_unavailable when too many wait */
  async hash(secret: string): Promise<SecretHash> {
    const salt = randomBytes(SALT_BYTES);
    return { salt: salt.toString('base64url'), hash: (await this.#derive(secret, salt)).toString('base64url') };
  }

  /**
   * Whether a secret has this hash, in the same time for any.
   * @param kept undefined for a client that has none: the answer is no
   * @throws OAuthError temporarily_unavailable when too many wait
   */
  async matches(secret: string, kept: SecretHash | undefined): Promise<boolean> {
    if (secret.length > MAX_SECRET_CHARS) return false;
    const { salt, hash } = kept ?? this.#nobody;
    const derived = await this.#derive(secret, Buffer.from(salt, 'base64url'));
    return timingSafeEqual(derived, Buffer.from(hash, 'base64url')) && kept !== undefined;
  }

  async #derive(secret: string, salt: Buffer): Promise<Buffer> {
    await this.#place();
    try {
      return await new Promise((resolve, reject) => {
        scrypt(secret, salt, HASH_BYTES, { ...COST, N: this.#work }, (error, derived) =>
          error === null ? resolve(derived) : reject(error),
        );
      });
    } finally {
      // The place goes to the first that waits, if any.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }

  async #place(): Promise<void> {
    if (this.#running < this.#atOnce) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= this.#mostWaiting)
      throw new OAuthError('temporarily_unavailable', 'client: too many secrets are being checked; try again in a moment', {
        retryAfter: 1,
      });
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
