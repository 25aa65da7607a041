/** What a hardware quote is over: the client's nonce, and the key at which TLS ends. */
import { createHash, X509Certificate } from 'node:crypto';

/** Bytes of a nonce. */
export const NONCE_BYTES = 32;

/** Bytes of a quote's report data. */
export const REPORT_DATA_BYTES = 64;

const DOMAIN = 'cutlayer attestation 1\0';

/**
 * Binds a quote to one call and to one TLS key.
 * @param nonce 32 bytes
 * @param tlsKey sha256 of the key's SubjectPublicKeyInfo, 32 bytes
 * @returns 64 bytes
 */
export function reportData(nonce: Uint8Array, tlsKey: Uint8Array): Buffer {
  return createHash('sha512').update(DOMAIN).update(nonce).update(tlsKey).digest();
}

/** The nonce of an accelerator's evidence: the first half of the report data, hex. */
export const acceleratorNonce = (report: Uint8Array): string => Buffer.from(report.subarray(0, 32)).toString('hex');

/**
 * sha256 of the SubjectPublicKeyInfo of a certificate's key, 32 bytes.
 * @param certificate DER or PEM; of a chain the first
 * @throws Error when there is no certificate
 */
export function tlsKeyDigest(certificate: string | Buffer): Buffer {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest();
}
