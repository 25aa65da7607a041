/**
 * The certificate that a client shows to a server that asks for one. Tokens are then bound to it
 * (RFC 8705): without its private key they are void.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CutlayerError } from '../../../src/errors.js';

/** A client certificate and its private key, each as PEM text or as the path of a PEM file. */
export interface CertificateOptions {
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** A pair that fits, PEM. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads the pair; undefined when none is given.
 * @throws CutlayerError INVALID_ARGUMENT (one of two, no PEM, another certificate's key), NOT_FOUND
 */
export async function readClientCertificate({ clientCert, clientKey }: CertificateOptions): Promise<ClientCertificate | undefined> {
  if (clientCert === undefined && clientKey === undefined) return undefined;
  if (clientCert === undefined || clientKey === undefined)
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `client certificate: expected a certificate and its key, got the ${clientCert === undefined ? 'key' : 'certificate'} alone; pass both --client-cert and --client-key`,
    );
  const [cert, key] = await Promise.all([pemOf(clientCert, 'client certificate'), pemOf(clientKey, 'key of the client certificate')]);
  let fits: boolean;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // The cause would quote what was given, which may be a private key.
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'client certificate: expected a certificate and a private key without a passphrase, both PEM; cutlayer gateway cert writes such a pair',
    );
  }
  if (!fits) throw new CutlayerError('INVALID_ARGUMENT', 'client certificate: the key is that of another certificate; pass its own');
  return { cert, key };
}

async function pemOf(given: string, what: string): Promise<string> {
  if (given.includes('-----BEGIN')) return given;
  return readFile(given, 'utf8').catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${given}: no such file; it should hold the ${what}, PEM`, { cause });
  });
}
