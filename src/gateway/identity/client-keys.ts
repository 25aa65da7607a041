/** Public keys of a client, as JWKs (RFC 7517). */
import { calculateJwkThumbprint, importJWK } from 'jose';
import { z } from 'zod';
import { CutlayerError } from '../../errors.js';

const MAX_KEYS = 4;
const kid = z.string().min(1).max(128).optional();
const coordinate = z.base64url().length(43);
// Strict objects: a private part is refused, not ignored.
const publicKeySchema = z.discriminatedUnion('kty', [
  z.strictObject({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: coordinate,
    kid,
    alg: z.string().optional(),
    use: z.literal('sig').optional(),
  }),
  z.strictObject({
    ...{ kty: z.literal('EC'), crv: z.literal('P-256'), x: coordinate, y: coordinate, kid },
    ...{ alg: z.string().optional(), use: z.literal('sig').optional() },
  }),
]);

/** A public key of a client. */
export type ClientKey = { readonly kid: string; readonly x: string } & (
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519' }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly y: string }
);

/** Algorithms of assertions. */
export const assertionAlgorithms = ['EdDSA', 'ES256'] as const;

/**
 * The keys of a JWK or of a JWK set, each with an id.
 * @throws CutlayerError INVALID_ARGUMENT for anything else, private keys included
 */
export async function parseClientKeys(value: unknown): Promise<readonly ClientKey[]> {
  const listed = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : [value];
  const found = z.array(publicKeySchema).min(1).max(MAX_KEYS).safeParse(listed);
  if (!found.success) {
    // The value is not quoted: it may hold a private key.
    throw new CutlayerError('INVALID_ARGUMENT', `key: expected 1 to ${MAX_KEYS} public JWKs, Ed25519 or P-256, without a private part`);
  }
  const keys = await Promise.all(found.data.map(named));
  if (new Set(keys.map((key) => key.kid)).size < keys.length)
    throw new CutlayerError('INVALID_ARGUMENT', 'key: expected a different kid for each key');
  return keys;
}

async function named(key: z.infer<typeof publicKeySchema>): Promise<ClientKey> {
  const { x } = key;
  const plain = key.kty === 'OKP' ? { kty: key.kty, crv: key.crv, x } : { kty: key.kty, crv: key.crv, x, y: key.y };
  try {
    await importJWK(plain, plain.kty === 'OKP' ? 'EdDSA' : 'ES256');
  } catch (cause) {
    throw new CutlayerError('INVALID_ARGUMENT', 'key: expected a point of its curve', { cause });
  }
  return { ...plain, kid: key.kid ?? (await calculateJwkThumbprint(plain)) };
}
