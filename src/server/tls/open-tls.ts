/** The configured TLS: an own certificate, a development certificate, or none. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { CutlayerError } from '../../errors.js';
import type { Logger } from '../observability/log.js';
import type { ListeningConfig } from '../security.js';
import type { HeldPair } from './development-ca.js';

/** PEM files of a TLS server. */
export interface CertificateFiles {
  /** The certificate chain. */
  readonly cert: Buffer;
  /** Its private key. */
  readonly key: Buffer;
  /** Authorities of client certificates; without them no client is asked for one. */
  readonly clientCa?: Buffer;
}

/** What a server listens with; `insecure` for no TLS at all. */
export type ServerCredentials = CertificateFiles | 'insecure';

/** Credentials to listen with. */
export interface Tls {
  readonly credentials: ServerCredentials;
  /** Certificate authority for clients; undefined with an own certificate, or without TLS. */
  readonly caFile: string | undefined;
  /**
   * Reads the files again, and renews a development certificate that ends soon.
   * @throws CutlayerError IO_ERROR, INVALID_CONFIG
   */
  readonly load: () => Promise<ServerCredentials>;
}

/** What opening TLS needs beside the configuration. */
export interface OpenTlsOptions {
  /** What would be sent unencrypted without TLS. */
  readonly secrets: string;
  /** The key of a development certificate is made at the start, and written nowhere. */
  readonly keyInMemory?: boolean;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Opens the configured TLS. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
export async function openTls(config: ListeningConfig, { secrets, keyInMemory = false, log, now }: OpenTlsOptions): Promise<Tls> {
  if (config.insecure) {
    log.warn(`TLS IS OFF (--insecure): ${secrets} travel in the clear on this machine`);
    return { credentials: 'insecure', caFile: undefined, load: async () => 'insecure' };
  }
  const own = await openOwnCertificate(config);
  if (own !== undefined) {
    const load = async (): Promise<ServerCredentials> => (await openOwnCertificate(config)) ?? own;
    return { credentials: own, caFile: undefined, load };
  }
  const held: HeldPair | undefined = keyInMemory ? { pair: undefined } : undefined;
  const { files, caFile, newAuthority } = await openDevelopmentCertificate(config, now, held);
  log.warn(
    { caFile },
    newAuthority
      ? 'DEVELOPMENT CERTIFICATE: made a new certificate authority; give its file to clients (--ca). For production pass --tls-cert and --tls-key'
      : 'DEVELOPMENT CERTIFICATE: clients must trust the authority in this file (--ca). For production pass --tls-cert and --tls-key',
  );
  return { credentials: files, caFile, load: async () => (await openDevelopmentCertificate(config, now, held)).files };
}

async function openDevelopmentCertificate(config: ListeningConfig, now: () => number, held: HeldPair | undefined) {
  const { openDevelopmentTls } = await import('./development-ca.js');
  const names = [config.listen.host, config.admin.host, ...config.tlsNames];
  const { caFile, cert, key, newAuthority } = await openDevelopmentTls(config.stateDir, names, now(), held);
  const files = checked({ cert: Buffer.from(cert), key: Buffer.from(key), ...(await clientAuthority(config)) }, caFile);
  return { files, caFile, newAuthority };
}

/** Opens the configured certificate, if any. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
export async function openOwnCertificate(config: ListeningConfig): Promise<CertificateFiles | undefined> {
  const { tlsCert, tlsKey } = config;
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const [cert, key] = await Promise.all([readPem(tlsCert), readPem(tlsKey)]);
  return checked({ cert, key, ...(await clientAuthority(config)) }, tlsCert);
}

/** The authorities of `--client-ca`. @throws CutlayerError IO_ERROR, INVALID_CONFIG */
async function clientAuthority({ clientCa: file }: ListeningConfig): Promise<{ readonly clientCa?: Buffer }> {
  if (file === undefined) return {};
  const clientCa = await readPem(file);
  if (!clientCa.includes('-----BEGIN CERTIFICATE-----'))
    throw new CutlayerError('INVALID_CONFIG', `${file}: expected a PEM file with the certificates of authorities`);
  return { clientCa };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CutlayerError('IO_ERROR', `${path}: cannot be read`, { cause });
  }
}

function checked(files: CertificateFiles, what: string): CertificateFiles {
  try {
    // This finds a wrong or mismatched pair before the server uses it.
    createSecureContext({ cert: files.cert, key: files.key, ca: files.clientCa });
    return files;
  } catch (cause) {
    throw new CutlayerError('INVALID_CONFIG', `${what}: expected a PEM certificate chain and its private key`, { cause });
  }
}
