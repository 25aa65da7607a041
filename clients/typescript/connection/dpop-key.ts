/**
 * A key that proves each HTTP request of its holder (DPoP, RFC 9449). A token that is bound to it
 * is of no use to who has read it.
 */
import { createHash, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** A request as its proof names it. */
export interface ProvenRequest {
  readonly method: string;
  readonly url: URL;
  /** The token that it is sent with; undefined at the token endpoint. */
  readonly token?: string;
}

/** Makes proofs; the key stays in this process. */
export interface DpopKey {
  /** A proof for one request, which a server takes once, for a minute. */
  prove(request: ProvenRequest): Promise<string>;
}

/** A new Ed25519 key. */
export async function newDpopKey(): Promise<DpopKey> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
  const { kty, crv, x } = await exportJWK(publicKey);
  const jwk = { kty: kty!, crv: crv!, x: x! }; // every Ed25519 key has them
  return {
    prove: ({ method, url, token }) =>
      new SignJWT({
        htm: method,
        htu: `${url.origin}${url.pathname}`,
        ...(token !== undefined && { ath: createHash('sha256').update(token).digest('base64url') }),
      })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .setJti(randomUUID())
        .sign(privateKey),
  };
}
