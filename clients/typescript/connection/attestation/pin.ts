/** Holds a client to the first TLS key that it has met. */
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { tlsKeyDigest } from '../../../../src/protocol/attestation/report-data.js';

/** A function of `tls.connect`: undefined takes the certificate. */
export type IdentityCheck = (host: string, certificate: PeerCertificate) => Error | undefined;

/** The keys that one client has met. */
export class Pin {
  /** sha256 of the key's SubjectPublicKeyInfo; undefined before the first connection. */
  key: Buffer | undefined;
  /** Handshakes with that key. */
  connections = 0;
  /** A handshake with another key was refused. */
  refused = false;

  /** @param check Of the certificate's names; by default node's */
  check(check: IdentityCheck = checkServerIdentity): IdentityCheck {
    return (host, certificate) => {
      const refusal = check(host, certificate);
      if (refusal !== undefined) return refusal;
      const key = tlsKeyDigest(certificate.raw);
      this.key ??= key;
      if (key.equals(this.key)) {
        this.connections += 1;
        return undefined;
      }
      this.refused = true;
      return new Error('its TLS key is not the one that was attested');
    };
  }
}
