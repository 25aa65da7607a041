/** TLS of a channel: which CA to trust, and which server name to ask for. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { type ChannelCredentials, type ClientOptions, credentials } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import type { IdentityCheck, Pin } from './attestation/pin.js';
import type { ClientCertificate } from './client-certificate.js';
import { hostOf } from './server-address.js';
import type { Peer } from './unary-call.js';

/** What decides about a channel's credentials. */
export interface CredentialOptions {
  /** `host:port` */
  readonly address: string;
  /** PEM text, or the path of a PEM file. */
  readonly ca?: string | undefined;
  readonly insecure?: boolean;
  /** Shown to a server that asks for one. */
  readonly certificate?: ClientCertificate | undefined;
}

/**
 * TLS sends no address as server name (RFC 6066), and node warns of it. A server that is reached by
 * address is asked for under a meaningless name; its certificate is checked against the address.
 */
const NO_NAME = 'server.invalid';

/** Channel options for a server that is reached by address, not by name. */
export function nameOptions(address: string): ClientOptions {
  return isIP(hostOf(address)) > 0 ? { 'grpc.ssl_target_name_override': NO_NAME } : {};
}

/**
 * The credentials of a channel.
 * @param role what to call the server in errors
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND
 */
export async function channelCredentials(
  { ca, insecure, address, certificate }: CredentialOptions,
  role: Peer['role'],
): Promise<ChannelCredentials> {
  if (insecure === true) {
    if (ca !== undefined) throw new CutlayerError('INVALID_ARGUMENT', `connect ${address}: either a CA or insecure, not both`);
    if (certificate !== undefined)
      throw new CutlayerError('INVALID_ARGUMENT', `connect ${address}: either a client certificate or insecure, not both`);
    return credentials.createInsecure();
  }
  return (await secureCredentials({ ca, address, certificate }, role))(nameCheck(address));
}

/**
 * The credentials of a channel with TLS, one for each pin.
 * @throws as {@link channelCredentials}
 */
export async function pinnedCredentials(options: CredentialOptions, role: Peer['role']): Promise<(pin: Pin) => ChannelCredentials> {
  const secure = await secureCredentials(options, role);
  return (pin) => secure(pin.check(nameCheck(options.address)));
}

async function secureCredentials({ ca, certificate }: CredentialOptions, role: Peer['role']) {
  const pem = ca === undefined ? null : await readAuthority(ca, role);
  const [key, cert] = certificate === undefined ? [null, null] : [Buffer.from(certificate.key), Buffer.from(certificate.cert)];
  return (check: IdentityCheck | undefined) => credentials.createSsl(pem, key, cert, check && { checkServerIdentity: check });
}

/** The check of a certificate's names; undefined: node's own. */
function nameCheck(address: string): IdentityCheck | undefined {
  const host = hostOf(address);
  return isIP(host) === 0 ? undefined : (_, certificate) => checkServerIdentity(host, certificate);
}

/**
 * The certificates of an authority.
 * @param ca PEM text, or the path of a PEM file
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND
 */
export async function readAuthority(ca: string, role: Peer['role']): Promise<Buffer> {
  const pem = ca.includes('-----BEGIN')
    ? Buffer.from(ca)
    : await readFile(ca).catch((cause: unknown) => {
        throw new CutlayerError('NOT_FOUND', `${ca}: no CA file; the ${role} prints the path of its development CA at start`, { cause });
      });
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      `${ca}: expected a PEM file with a certificate; the ${role} prints the path of its development CA at start`,
    );
  }
  return pem;
}
