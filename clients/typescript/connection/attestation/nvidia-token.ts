/** A token of NVIDIA's attestation service: signed, in date, and for this call. */
import { createLocalJWKSet, jwtVerify } from 'jose';
import { type NvidiaPolicy, rejected } from './policy.js';

/** Algorithms that the service may sign with. */
const ALGORITHMS = ['ES384', 'ES256'];
const ASK = 'Ask the vendor for a token of the accelerators that serve you.';

/**
 * @param nonce hex, which `eat_nonce` must be
 * @param now Milliseconds since 1970
 * @throws CutlayerError ATTESTATION_REJECTED naming the claim that differs
 */
export async function verifyNvidiaToken(token: string, { jwks, issuer, claims }: NvidiaPolicy, nonce: string, now: number): Promise<void> {
  if (token === '') throw rejected('NVIDIA token', 'a token', 'none', ASK);
  const options = { issuer, algorithms: ALGORITHMS, currentDate: new Date(now), requiredClaims: ['exp', 'iat'] };
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), options).catch((cause: unknown) => {
    throw rejected('NVIDIA token', `one that ${issuer} signed and that is valid now`, (cause as Error).message.slice(0, 120), ASK, cause);
  });
  const wanted = { 'x-nvidia-overall-att-result': true, ...claims, eat_nonce: nonce };
  for (const [name, value] of Object.entries(wanted))
    if (payload[name] !== value) throw rejected(`NVIDIA token, ${name}`, String(value), String(payload[name]).slice(0, 80), ASK);
}
