/**
 * The signature of a manifest: `manifest.jws` beside it, a compact JWS with EdDSA. Its payload, the
 * bytes of `manifest.json`, is left out. The manifest holds the sha256 of every other file, so the
 * signature covers them too.
 * @see RFC 7515 app. F (detached content), RFC 8037 (Ed25519)
 */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CompactSign, type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../errors.js';

export const SIGNATURE_FILE = 'manifest.jws';

const MAX_SIGNATURE_BYTES = 4096;

/** Says that the key has signed a manifest, and nothing else. */
const TYPE = 'cutlayer-manifest';

/** An Ed25519 public key: its 32 bytes in base64url, the `x` of its JWK. */
const publicKey = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const headerSchema = z.strictObject({
  alg: z.literal('EdDSA'),
  typ: z.literal(TYPE),
  jwk: z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: publicKey }),
});

/** A private Ed25519 key as a JWK. */
export interface SigningJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** The public key, base64url. */
  readonly x: string;
  readonly d: string;
}

/** The text of {@link SIGNATURE_FILE} for the bytes of a manifest. */
export async function signManifest(manifest: Uint8Array, { kty, crv, x, d }: SigningJwk): Promise<string> {
  const key = await importKey({ kty, crv, x, d });
  const compact = await new CompactSign(manifest).setProtectedHeader({ alg: 'EdDSA', typ: TYPE, jwk: { kty, crv, x } }).sign(key);
  const [header, , signature] = compact.split('.');
  return `${header}..${signature}\n`;
}

/**
 * The public key whose signature a manifest has; undefined where it has none.
 * @throws CutlayerError SIGNATURE_REJECTED when the signature is not one of these bytes
 */
export async function signerOf(dir: string, manifest: Uint8Array): Promise<string | undefined> {
  const path = join(dir, SIGNATURE_FILE);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > MAX_SIGNATURE_BYTES)
    throw rejected(`${path}: expected a regular file of at most ${MAX_SIGNATURE_BYTES} bytes`);
  const [, header, signature] = /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]+)\n?$/.exec(await readFile(path, 'utf8')) ?? [];
  const jwk = header === undefined ? undefined : keyOf(header);
  if (jwk === undefined) throw rejected(`${path}: expected a JWS of type ${TYPE} with EdDSA and without its payload, got something else`);
  try {
    const payload = Buffer.from(manifest.buffer, manifest.byteOffset, manifest.byteLength).toString('base64url');
    await compactVerify(`${header}.${payload}.${signature}`, await importKey(jwk), { algorithms: ['EdDSA'] });
  } catch (cause) {
    const text = `${path}: expected the signature of ${jwk.x} on manifest.json beside it, got one of other bytes: one of the files was changed`;
    throw rejected(text, cause);
  }
  return jwk.x;
}

/**
 * Checks that a manifest is signed by one key.
 * @throws CutlayerError SIGNATURE_REJECTED (no signature, of another key, of other bytes)
 */
export async function requireSigner(dir: string, manifest: Uint8Array, expected: string): Promise<void> {
  const signer = await signerOf(dir, manifest);
  if (signer === undefined) throw rejected(`${dir}: expected a manifest signed by ${expected}, got one without ${SIGNATURE_FILE}`);
  if (signer !== expected) throw rejected(`${join(dir, SIGNATURE_FILE)}: expected the signature of ${expected}, got one of ${signer}`);
}

function keyOf(header: string): z.infer<typeof headerSchema>['jwk'] | undefined {
  try {
    return headerSchema.parse(JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))).jwk;
  } catch {
    return undefined;
  }
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  // importJWK returns bytes for symmetric keys only; these are of type OKP.
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey;
}

const rejected = (what: string, cause?: unknown): CutlayerError =>
  new CutlayerError('SIGNATURE_REJECTED', `${what}; get the files again from the vendor, and compare the key with the vendor's`, {
    cause,
  });
