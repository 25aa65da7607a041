/** One unary call: its token, deadline and cancellation, and clear words for failed connections. */
import { type ClientUnaryCall, Metadata, type ServiceError } from '@grpc/grpc-js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { PROOF_HEADER } from '../../../src/protocol/wire/proof-header.js';
import { fromServiceError } from '../../../src/protocol/wire/status.js';
import { hostOf, proxyVariable, type ServerRole } from './server-address.js';

/** The server of a call, as its errors name it. */
export interface Peer {
  readonly role: ServerRole;
  readonly address: string;
  readonly insecure: boolean;
}

/** A method as grpc-js calls it. */
export type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: Date },
  done: (error: ServiceError | null, response?: Response) => void,
) => ClientUnaryCall;

/** What a call needs beside its request. */
export interface UnaryCallOptions extends Peer {
  readonly token: string;
  /** Proof of the caller beside the token. */
  readonly proof?: Uint8Array | undefined;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export function unaryCall<Request, Response>(
  send: Unary<Request, Response>,
  request: Request,
  { token, proof, deadlineMs, signal, ...peer }: UnaryCallOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new CutlayerError('CANCELLED', 'the call was cancelled before it was sent'));
      return;
    }
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    if (proof !== undefined) metadata.set(PROOF_HEADER, Buffer.from(proof));
    const cancel = () => call.cancel();
    const call = send(request, metadata, { deadline: new Date(Date.now() + deadlineMs) }, (error, response) => {
      signal?.removeEventListener('abort', cancel);
      if (error !== null) reject(explainTransport(fromServiceError(error), peer));
      else resolve(response as Response);
    });
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

const tokenCodes: readonly ErrorCode[] = ['TOKEN_INVALID', 'TOKEN_EXPIRED', 'TOKEN_MISSING', 'SCOPE_MISSING'];

/** Explains a connection that failed or reached another server, in place of grpc-js's words. */
export function explainTransport(error: CutlayerError, peer: Peer): CutlayerError {
  const { role, address } = peer;
  if (error.code === 'UNIMPLEMENTED') {
    const other = role === 'gateway' ? 'coordinator' : 'gateway';
    const message = `${role} ${address}: what listens there does not offer this service; is it the address of a ${other}, or an older ${role}?`;
    return new CutlayerError('UNIMPLEMENTED', message, { cause: error });
  }
  // A caller with tokens for two servers must know which one is meant.
  if (tokenCodes.includes(error.code)) {
    const clock = error.message.includes('clock') ? `; this machine's clock says ${new Date().toISOString()}` : '';
    return new CutlayerError(error.code, `${role} ${address}: ${error.message}${clock}`, { cause: error });
  }
  if (error.code !== 'UNAVAILABLE') return error;
  const [reason = ''] = error.message
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .split(/ Resolution note:|\. Cert:/);
  if (/certificate|altnames|self[- ]signed/i.test(reason)) {
    return new CutlayerError(
      'CERTIFICATE_REJECTED',
      `${role} ${address}: its certificate is not trusted (${reason.replace(/\.$/, '')}); ${certificateAdvice(reason, role)}`,
      { cause: error },
    );
  }
  const other = otherProtocol(reason, peer);
  if (other !== undefined) return new CutlayerError('UNAVAILABLE', `${role} ${address}: ${other}`, { cause: error });
  const proxy = proxyVariable(address);
  const way = proxy === undefined ? '' : `, through the proxy that ${proxy} names; no_proxy=${hostOf(address)} goes without it`;
  if (reason.includes('ECONNREFUSED'))
    return unavailable(`${role} ${address}: nothing listens there, or it refuses connections (${reason.replace(/\.$/, '')})${way}`, error);
  if (reason === error.message && /ECONNRESET|EPIPE|socket hang up|Connection dropped|RST_STREAM/i.test(reason))
    return unavailable(`${role} ${address}: the connection was closed while the call was under way (${reason})${way}`, error);
  return reason === error.message && way === '' ? error : unavailable(`${role} ${address} does not answer${saying(reason)}${way}`, error);
}

const unavailable = (message: string, cause: CutlayerError): CutlayerError => new CutlayerError('UNAVAILABLE', message, { cause });

/** The package has no text for a proxy that does not answer. */
const saying = (reason: string): string => (/^undefined\b/.test(reason) ? '' : `: ${reason}`);

/** What mends a certificate that is refused. */
function certificateAdvice(reason: string, role: ServerRole): string {
  if (/expired|not yet valid/i.test(reason)) return `this machine's clock says ${new Date().toISOString()}; compare it with the ${role}'s`;
  if (/altnames|hostname/i.test(reason)) return `reach the ${role} by a name in the certificate`;
  const flag = role === 'gateway' ? '--ca FILE' : '--coordinator-ca FILE, or --ca FILE where it is the only server';
  return `pass the authority that signed it as CA: ${flag}`;
}

/** What a failed handshake says of the server there; undefined when nothing. */
function otherProtocol(reason: string, { role, insecure }: Peer): string | undefined {
  if (!insecure && /wrong version number|packet length too long/.test(reason))
    return `what listens there does not speak TLS; use the address of --listen, not of --admin, and pass --insecure for a ${role} that was started with it`;
  if (insecure && reason.startsWith('Protocol error'))
    return 'what listens there does not speak gRPC; use the address of --listen, not of --admin';
  if (insecure && reason.startsWith('Failed to connect'))
    return `what listens there ended the connection, as a ${role} with TLS does; leave --insecure out, and pass the CA of its certificate (--ca)`;
  return undefined;
}
