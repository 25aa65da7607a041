/** The client certificate of a connection, as tokens are bound to it. */
import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** SHA-256 of a certificate's DER, base64url. @see RFC 8705 sec. 3.1 */
export const thumbprintOf = (certificate: X509Certificate): string => createHash('sha256').update(certificate.raw).digest('base64url');

/** The thumbprint of the first certificate of a PEM text. @throws Error when there is none */
export const thumbprintOfPem = (pem: string | Buffer): string => thumbprintOf(new X509Certificate(pem));

/**
 * The thumbprint of the certificate that the client has shown. Undefined for none, and for one that
 * no authority of `--client-ca` has signed: self-signed, expired or foreign.
 */
export function clientThumbprint(socket: Socket): string | undefined {
  // HTTP/2 sessions give a proxy of their socket, which is of the same class.
  if (!(socket instanceof TLSSocket) || socket.authorized !== true) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : thumbprintOf(certificate);
}
