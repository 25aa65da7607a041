/** What every TLS server here is made with, on gRPC's port and on the admin port. */
import { constants } from 'node:crypto';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import type { CertificateFiles } from './open-tls.js';

/** The part that a renewal replaces. */
export function secureContext({ cert, key, clientCa }: CertificateFiles): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    // Each connection checks its client's certificate: no ticket speaks for one that was checked
    // before.
    ...(clientCa !== undefined && { ca: clientCa, secureOptions: constants.SSL_OP_NO_TICKET }),
  };
}

/**
 * All of it. A client without a certificate is let in: health checks have none. What a certificate
 * is good for is decided with each token, and only for a certificate of the authority.
 */
export function tlsOptions(files: CertificateFiles): TlsOptions {
  return { ...secureContext(files), ...(files.clientCa !== undefined && { requestCert: true, rejectUnauthorized: false }) };
}
