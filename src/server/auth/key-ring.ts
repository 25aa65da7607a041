/**
 * The embedded issuer's Ed25519 signing keys, in one secret file. The last key whose time has come
 * signs. All verify, so that tokens stay valid after a rotation. Processes share the file:
 * `gateway start` verifies what `gateway token` signs. A change holds a lock: none loses a key of
 * another.
 */

import { join } from 'node:path';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { lockWithin } from '../../files/process-lock.js';
import { createStateFile, openStateDir, readStateFile, writeStateFile } from '../state-files.js';
import { MAX_TTL_SECONDS } from './ttl.js';

/** The file of the keys. */
export const SIGNING_KEYS_FILE = 'signing-keys.json';
const LOCK_FILE = 'signing-keys.lock';
/** A change takes milliseconds; it waits this long for those before it. */
const LOCK_WAIT_MS = 10_000;
/** A lock of another machine, over a shared directory, counts for this time. */
const FOREIGN_LOCK_MS = 60_000;
/** Most keys; a rotation that would drop one whose tokens still live is refused. */
const MAX_KEYS = 32;
/** Tokens are accepted this long after their end. */
const TOLERANCE_SECONDS = 60;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** An Ed25519 key as a JWK, with its thumbprint as id. */
export const signingKeySchema = z.object({
  kid: z.string().min(1),
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: base64url,
  d: base64url,
});
/** A key of the ring. Times in seconds since 1970. */
const storedKeySchema = signingKeySchema.extend({
  /** When it begins to sign; absent in rings of before. */
  since: z.int().optional(),
  /** The end of its last token. Set when it stops signing. */
  until: z.int().optional(),
});
const fileSchema = z.object({ keys: z.array(storedKeySchema).min(1).max(MAX_KEYS) });

type StoredKey = z.infer<typeof storedKeySchema>;

/** A key with its id. */
export interface NamedKey {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** A set of public keys (RFC 7517), as `/.well-known/jwks.json` serves it. */
export interface PublicJwks {
  readonly keys: readonly JWK[];
}

/** Makes a key. */
export async function makeSigningKey(): Promise<z.infer<typeof signingKeySchema>> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  return signingKeySchema.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) });
}

const serialize = (keys: readonly StoredKey[]): string => `${JSON.stringify({ keys }, null, 2)}\n`;

async function load(dir: string): Promise<readonly StoredKey[] | undefined> {
  const text = await readStateFile(dir, SIGNING_KEYS_FILE, { secret: true });
  if (text === undefined) return undefined;
  try {
    return fileSchema.parse(JSON.parse(text)).keys;
  } catch {
    // The cause would quote the file, and the file is secret.
    throw new CutlayerError(
      'IO_ERROR',
      `${SIGNING_KEYS_FILE} in ${dir}: expected a key ring, got something else; restore it, or remove it to make new keys`,
    );
  }
}

/** The keys of one state directory. */
export class KeyRing {
  readonly #dir: string;
  #keys: readonly StoredKey[];
  /** Public parts: importing one takes longer than a verification. */
  readonly #imported = new WeakMap<StoredKey, Promise<CryptoKey>>();

  /** Whether opening the ring made its first key. */
  readonly isNew: boolean;

  private constructor(dir: string, keys: readonly StoredKey[], isNew: boolean) {
    this.#dir = dir;
    this.#keys = keys;
    this.isNew = isNew;
  }

  /** Opens the ring; makes missing directory and first key. @throws CutlayerError IO_ERROR */
  static async open(dir: string): Promise<KeyRing> {
    await openStateDir(dir);
    let keys = await load(dir);
    let isNew = false;
    if (keys === undefined) {
      isNew = await createStateFile(
        dir,
        SIGNING_KEYS_FILE,
        serialize([{ ...(await makeSigningKey()), since: Math.floor(Date.now() / 1000) }]),
        {
          secret: true,
        },
      );
      keys = await load(dir);
    }
    if (keys === undefined) throw new CutlayerError('IO_ERROR', `${SIGNING_KEYS_FILE} in ${dir}: was removed while it was being opened`);
    return new KeyRing(dir, keys, isNew);
  }

  /** Opens the ring of a state directory; undefined without one. @throws CutlayerError IO_ERROR */
  static async openExisting(dir: string): Promise<KeyRing | undefined> {
    const keys = await load(dir);
    return keys === undefined ? undefined : new KeyRing(dir, keys, false);
  }

  /** Reads the file again: another process may have rotated. */
  async reload(): Promise<void> {
    this.#keys = (await load(this.#dir)) ?? this.#keys;
  }

  /**
   * Adds a key, which verifies from now on, and signs from now on or later. Each earlier key
   * verifies until the last token that it can have signed has ended; then it is dropped.
   * @param now milliseconds since 1970
   * @param afterSeconds until it signs: time in which processes get a file that is copied to them
   * @throws CutlayerError LIMIT_EXCEEDED when the ring is full of keys whose tokens still live;
   *   UNAVAILABLE when other rotations do not end
   */
  rotate(now: number = Date.now(), afterSeconds = 0): Promise<void> {
    return this.#alone(() => this.#rotate(now, afterSeconds));
  }

  /**
   * Rotates where the key that signs is older than a time, also after waiting for other rotations.
   * @param before called where it will; its error leaves the keys as they are
   * @returns whether it did
   * @throws CutlayerError as {@link KeyRing.rotate}
   */
  async rotateIfOlder(ageSeconds: number, now: number, before: () => Promise<void> = async () => {}): Promise<boolean> {
    await this.reload();
    if (!this.#olderThan(ageSeconds, now)) return false;
    return this.#alone(async () => {
      const older = this.#olderThan(ageSeconds, now);
      if (!older) return false;
      await before();
      await this.#rotate(now);
      return true;
    });
  }

  async #rotate(now: number, afterSeconds = 0): Promise<void> {
    const seconds = Math.floor(now / 1000);
    const since = seconds + afterSeconds;
    const retired = this.#keys.map((key) => ({ ...key, until: key.until ?? since + MAX_TTL_SECONDS + TOLERANCE_SECONDS }));
    await this.#replace([...retired.filter(({ until }) => until >= seconds), { ...(await makeSigningKey()), since }]);
  }

  /** Replaces every key, after a theft: each token of before is void. */
  renew(now: number = Date.now()): Promise<void> {
    return this.#alone(async () => this.#replace([{ ...(await makeSigningKey()), since: Math.floor(now / 1000) }]));
  }

  /** Changes the file as the only one who does, from its present state. */
  async #alone<Result>(change: () => Promise<Result>): Promise<Result> {
    const lock = await lockWithin(join(this.#dir, LOCK_FILE), LOCK_WAIT_MS, { foreignMs: FOREIGN_LOCK_MS });
    try {
      await this.reload();
      return await change();
    } finally {
      await lock.release();
    }
  }

  /** Whether the newest key is older than a time; a key without a time is not. */
  #olderThan(seconds: number, now: number): boolean {
    const { since } = this.#keys.at(-1)!;
    return since !== undefined && now / 1000 - since > seconds;
  }

  async #replace(keys: readonly StoredKey[]): Promise<void> {
    if (keys.length > MAX_KEYS)
      throw new CutlayerError('LIMIT_EXCEEDED', `key ring: ${MAX_KEYS} keys have tokens that still live; rotate later, or drop them all`);
    await writeStateFile(this.#dir, SIGNING_KEYS_FILE, serialize(keys), { secret: true });
    this.#keys = keys;
  }

  /**
   * The private key that signs: the newest whose time has come. Where a clock was set back it is
   * the newest.
   * @param now milliseconds since 1970
   */
  async signingKey(now: number = Date.now()): Promise<NamedKey> {
    const stored = this.#keys.findLast(({ since = 0 }) => since <= now / 1000) ?? this.#keys.at(-1)!;
    return { kid: stored.kid, key: await importKey(stored) };
  }

  /** The public key of an id; undefined when the ring has none. */
  async publicKey(kid: string): Promise<CryptoKey | undefined> {
    const stored = this.#keys.find((key) => key.kid === kid);
    if (stored === undefined) return undefined;
    const imported = this.#imported.get(stored) ?? importKey(publicPart(stored));
    this.#imported.set(stored, imported);
    return imported;
  }

  /** All public keys. */
  publicJwks(): PublicJwks {
    return { keys: this.#keys.map((key) => ({ ...publicPart(key), alg: 'EdDSA', use: 'sig' })) };
  }
}

function publicPart({ kid, kty, crv, x }: StoredKey): JWK {
  return { kid, kty, crv, x };
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  // importJWK returns bytes for symmetric keys only; ours are of type OKP.
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey;
}
