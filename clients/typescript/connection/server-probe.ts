/**
 * What a server shows before any call: its certificate, and its clock in the `date` header of an
 * answer (RFC 9110 sec. 6.6.1). No token and no data is sent.
 */
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { CutlayerError } from '../../../src/errors.js';
import { readAuthority } from './channel-credentials.js';
import { checkAddress, hostOf, type ServerRole } from './server-address.js';

/** Which server, and which authority it should have. */
export interface ProbeOptions {
  readonly address: string;
  readonly ca?: string | undefined;
  readonly insecure: boolean;
  readonly role: ServerRole;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A certificate as its client sees it. */
export interface SeenCertificate {
  /** Why it is not trusted for this address; undefined when it is. */
  readonly refusal: string | undefined;
  /** Host names and addresses that it is good for. */
  readonly names: readonly string[];
  readonly validTo: Date;
}

/** What the probe found. */
export interface ServerProbe {
  /** Undefined without TLS. */
  readonly certificate: SeenCertificate | undefined;
  /** Milliseconds since 1970 by the server's clock, in whole seconds; undefined when not told. */
  readonly serverTime: number | undefined;
}

const TIMEOUT_MS = 10_000;

/**
 * Connects, looks, and closes.
 * @throws CutlayerError INVALID_ARGUMENT, NOT_FOUND (CA file), UNAVAILABLE
 */
export async function probeServer(options: ProbeOptions): Promise<ServerProbe> {
  const { address, ca, insecure, role, timeoutMs = TIMEOUT_MS } = options;
  checkAddress(address, role);
  const authority = ca === undefined ? undefined : await readAuthority(ca, role);
  const place = { host: hostOf(address), port: Number(address.slice(address.lastIndexOf(':') + 1)) };
  const socket = insecure
    ? net.connect(place)
    : // The probe sends no secret, and it must see a certificate that is not trusted in order to say why.
      tls.connect({ ...place, ...nameOf(place.host), ca: authority, ALPNProtocols: ['h2'], rejectUnauthorized: false });
  const timer = AbortSignal.timeout(timeoutMs);
  const signal = options.signal === undefined ? timer : AbortSignal.any([timer, options.signal]);
  const stop = () => socket.destroy(new Error(timer.aborted ? `no answer within ${timeoutMs / 1000} s` : 'cancelled'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await ready(socket, insecure ? 'connect' : 'secureConnect');
    const certificate = socket instanceof tls.TLSSocket ? seen(socket) : undefined;
    return { certificate, serverTime: await serverTime(socket, place.host).catch(() => undefined) };
  } catch (cause) {
    throw new CutlayerError('UNAVAILABLE', `${role} ${address}: ${explained(cause, insecure)}`, { cause });
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** TLS sends no address as server name (RFC 6066). */
const nameOf = (host: string) => (net.isIP(host) === 0 ? { servername: host } : {});

function ready(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve);
    // Stays for the socket's whole life: a later error is the probe's end, not the process's.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

function seen(socket: tls.TLSSocket): SeenCertificate {
  const { subjectaltname = '', valid_to } = socket.getPeerCertificate();
  const names = subjectaltname.split(', ').flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []);
  const { authorized, authorizationError } = socket;
  return { refusal: authorized ? undefined : String(authorizationError ?? 'not trusted'), names, validTo: new Date(valid_to) };
}

/** The `date` of the answer to a request that no gRPC service takes. */
function serverTime(socket: net.Socket, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`https://${net.isIPv6(host) ? `[${host}]` : host}`, { createConnection: () => socket });
    session.once('error', reject).once('close', () => resolve(undefined));
    const request = session.request({ ':method': 'GET', ':path': '/' });
    request.once('error', reject).once('response', ({ date }) => {
      const time = Date.parse(String(date));
      resolve(Number.isNaN(time) ? undefined : time);
      session.destroy();
    });
  });
}

function explained(cause: unknown, insecure: boolean): string {
  const { code, message } = cause as NodeJS.ErrnoException; // of sockets, and of this file
  if (code === 'ECONNREFUSED') return 'nothing listens there, or it refuses connections; is the port right, and does the server run?';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host name; is it spelled right, and does this machine have a network?';
  if (/wrong version number|packet length too long/.test(message) && !insecure)
    return 'what listens there does not speak TLS; use the address of --listen, and pass --insecure only for a server started with it';
  return `does not answer (${message}); is the address right, and does a firewall let it through?`;
}
