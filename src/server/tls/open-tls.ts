/** The configured TLS: an own certificate, a development certificate, or none. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { ListeningConfig } from '../security.js';

/** A certificate chain and its private key, PEM; `insecure` for no TLS at all. */
export type ServerCredentials = { readonly cert: Buffer; readonly key: Buffer } | 'insecure';

/** Credentials to listen with. */
export interface Tls {
  readonly credentials: ServerCredentials;
  /** Certificate authority for clients; undefined with an own certificate, or without TLS. */
  readonly caFile: string | undefined;
}

/** What opening TLS needs beside the configuration. */
export interface OpenTlsOptions {
  /** What would be sent unencrypted without TLS. */
  readonly secrets: string;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Opens the configured TLS. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
export async function openTls(config: ListeningConfig, { secrets, log, now }: OpenTlsOptions): Promise<Tls> {
  if (config.insecure) {
    log.warn(`TLS IS OFF (--insecure): ${secrets} travel in the clear on this machine`);
    return { credentials: 'insecure', caFile: undefined };
  }
  const own = await openOwnCertificate(config);
  if (own !== undefined) return { credentials: own, caFile: undefined };
  const { openDevelopmentTls } = await import('./development-ca.js');
  const { caFile, cert, key, newAuthority } = await openDevelopmentTls(config.stateDir, [config.listen.host, ...config.tlsNames], now());
  log.warn(
    { caFile },
    newAuthority
      ? 'DEVELOPMENT CERTIFICATE: made a new certificate authority; give its file to clients (--ca). For production pass --tls-cert and --tls-key'
      : 'DEVELOPMENT CERTIFICATE: clients must trust the authority in this file (--ca). For production pass --tls-cert and --tls-key',
  );
  return { credentials: tlsCredentials(Buffer.from(cert), Buffer.from(key), caFile), caFile };
}

/** Opens the configured certificate, if any. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
export async function openOwnCertificate({ tlsCert, tlsKey }: ListeningConfig): Promise<ServerCredentials | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([readPem(tlsCert), readPem(tlsKey)]);
  return tlsCredentials(cert, key, tlsCert);
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read`, { cause });
  }
}

function tlsCredentials(cert: Buffer, key: Buffer, what: string): ServerCredentials {
  try {
    // This finds a wrong or mismatched pair before the server is built.
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${what}: expected a PEM certificate chain and its private key`, { cause });
  }
}
