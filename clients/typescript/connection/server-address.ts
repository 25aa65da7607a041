/** The address of a server as a caller writes it, and the proxy that stands in between. */
import { isIP } from 'node:net';
import { CutlayerError } from '../../../src/errors.js';
import { isLoopback } from '../../../src/protocol/wire/loopback.js';

/** The servers that a client calls. */
export type ServerRole = 'gateway' | 'coordinator';

/** @throws CutlayerError INVALID_ARGUMENT unless it is `host:port` */
export function checkAddress(address: string, role: ServerRole): void {
  const match = /^(?:\[[0-9A-Fa-f:.%\w]+\]|[^\s/:@[\]]+):(\d{1,5})$/.exec(address);
  if (match !== null && Number(match[1]) <= 65535) return;
  const scheme = /^[a-z+.-]+:\/\//i.exec(address)?.[0];
  const next =
    scheme === undefined ? 'such as vendor.example:443 or [::1]:50051' : `without ${scheme} (TLS is used unless --insecure is given)`;
  throw new CutlayerError('INVALID_ARGUMENT', `${role} address: expected host:port, ${next}; got ${JSON.stringify(address.slice(0, 200))}`);
}

/** `gateway.example`, `::1` */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** A server of this machine is never reached through a proxy. */
export const isOwnMachine = (address: string): boolean => isLoopback(hostOf(address));

/**
 * The environment variable with the HTTP proxy that grpc-js takes for an address; undefined for
 * none. @see gRFC A1
 */
export function proxyVariable(address: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  if (isOwnMachine(address)) return undefined;
  const host = hostOf(address);
  const exempt = (environment.no_grpc_proxy ?? environment.no_proxy ?? '').split(',').map((name) => name.trim());
  if (exempt.some((name) => name !== '' && (isIP(host) > 0 ? name === host : host.endsWith(name)))) return undefined;
  return ['grpc_proxy', 'https_proxy', 'http_proxy'].find((name) => (environment[name] ?? '') !== '');
}
