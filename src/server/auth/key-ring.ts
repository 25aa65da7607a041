/**
 * The embedded issuer's Ed25519 signing keys, in one secret file. The last key signs. The others
 * verify, so that tokens stay valid after a rotation. Processes share the file: `gateway start`
 * verifies what `gateway token` signs.
 */
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';
import { createStateFile, openStateDir, readStateFile, writeStateFile } from '../state-files.js';

const FILE = 'signing-keys.json';
/** Most keys; a rotation drops the oldest. */
const MAX_KEYS = 4;

const base64url = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
/** An Ed25519 key as a JWK, with its thumbprint as id. */
export const signingKeySchema = z.object({
  kid: z.string().min(1),
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: base64url,
  d: base64url,
});
const fileSchema = z.object({ keys: z.array(signingKeySchema).min(1).max(MAX_KEYS) });

type StoredKey = z.infer<typeof signingKeySchema>;

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
export async function makeSigningKey(): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const jwk = await exportJWK(privateKey);
  return signingKeySchema.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk) });
}

const serialize = (keys: readonly StoredKey[]): string => `${JSON.stringify({ keys }, null, 2)}\n`;

async function load(dir: string): Promise<readonly StoredKey[] | undefined> {
  const text = await readStateFile(dir, FILE, { secret: true });
  if (text === undefined) return undefined;
  try {
    return fileSchema.parse(JSON.parse(text)).keys;
  } catch {
    // The cause would quote the file, and the file is secret.
    throw new CutlayerError(
      'IO_ERROR',
      `${FILE} in ${dir}: expected a key ring, got something else; restore it, or remove it to make new keys`,
    );
  }
}

/** The keys of one state directory. */
export class KeyRing {
  readonly #dir: string;
  #keys: readonly StoredKey[];

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
      isNew = await createStateFile(dir, FILE, serialize([await makeSigningKey()]), { secret: true });
      keys = await load(dir);
    }
    if (keys === undefined) throw new CutlayerError('IO_ERROR', `${FILE} in ${dir}: was removed while it was being opened`);
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

  /** Adds a key, which signs from now on, and drops the oldest beyond the limit. */
  async rotate(): Promise<void> {
    await this.reload();
    const keys = [...this.#keys, await makeSigningKey()].slice(-MAX_KEYS);
    await writeStateFile(this.#dir, FILE, serialize(keys), { secret: true });
    this.#keys = keys;
  }

  /** The private key that signs. */
  async signingKey(): Promise<NamedKey> {
    const stored = this.#keys.at(-1)!;
    return { kid: stored.kid, key: await importKey(stored) };
  }

  /** The public key of an id; undefined when the ring has none. */
  async publicKey(kid: string): Promise<CryptoKey | undefined> {
    const stored = this.#keys.find((key) => key.kid === kid);
    return stored === undefined ? undefined : importKey(publicPart(stored));
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
