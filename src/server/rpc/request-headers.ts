/**
 * Reads the headers of a gRPC request from the raw list: Node keeps the first of two
 * `authorization` headers in silence.
 * @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md Requests
 */
import { CutlayerError } from '../../errors.js';
import { PROOF_HEADER } from '../../protocol/wire/proof-header.js';
import { TRACEPARENT_HEADER } from '../observability/traces.js';
import { REQUEST_ID_HEADER } from './request-id.js';

/** The headers that a server uses. */
export interface RequestHeaders {
  readonly path: string;
  /** Undefined when there is none, or it is malformed. */
  readonly timeoutMs: number | undefined;
  /** Undefined when there is no such header. */
  readonly authorization: string | undefined;
  /** Of `cutlayer-proof-bin`; undefined when there is none. */
  readonly proof: Uint8Array | undefined;
  /** Of `x-request-id`, as it came; undefined when there is none, or several. */
  readonly requestId: string | undefined;
  /** Of `traceparent`, as it came. */
  readonly traceparent: string | undefined;
}

/** Headers that occur once at most. */
const SINGLE = [':method', ':path', 'content-type', 'te', 'grpc-timeout', 'grpc-encoding', 'authorization', PROOF_HEADER] as const;

/** Headers of which several count as none: a proxy may add one. */
const OPTIONAL = [REQUEST_ID_HEADER, TRACEPARENT_HEADER] as const;

/** Milliseconds of each unit of `grpc-timeout`. */
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** What HTTP/2 counts for each header beside its name and value (RFC 9113 sec. 6.5.2). */
const ENTRY_BYTES = 32;

/**
 * Undefined for a request that is not gRPC.
 * @param raw names and values in turn, as Node gives them
 * @param maxBytes of the list; Node bounds it only after the peer has acknowledged the settings
 * @throws CutlayerError MESSAGE_TOO_LARGE, TOKEN_INVALID (several tokens), UNIMPLEMENTED
 *   (compression), INVALID_ARGUMENT (another header repeated)
 */
export function readRequestHeaders(raw: readonly string[], maxBytes: number): RequestHeaders | undefined {
  const bytes = raw.reduce((sum, text) => sum + text.length, (raw.length / 2) * ENTRY_BYTES);
  if (bytes > maxBytes) throw new CutlayerError('MESSAGE_TOO_LARGE', `headers: expected at most ${maxBytes} bytes, got ${bytes}`);
  const seen = new Map<string, string>();
  const optional = new Map<string, string | undefined>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]!;
    if ((OPTIONAL as readonly string[]).includes(name)) optional.set(name, optional.has(name) ? undefined : raw[at + 1]!);
    if (!(SINGLE as readonly string[]).includes(name)) continue;
    if (seen.has(name)) {
      if (name === 'authorization') throw new CutlayerError('TOKEN_INVALID', 'authorization: expected one header, got several');
      throw new CutlayerError('INVALID_ARGUMENT', `${name}: expected one header, got several`);
    }
    seen.set(name, raw[at + 1]!);
  }
  const contentType = seen.get('content-type') ?? '';
  if (seen.get(':method') !== 'POST' || !/^application\/grpc($|[+;])/.test(contentType)) return undefined;
  if ((seen.get('grpc-encoding') ?? 'identity') !== 'identity') {
    throw new CutlayerError('UNIMPLEMENTED', 'grpc-encoding: expected identity; send messages without compression');
  }
  const proof = seen.get(PROOF_HEADER);
  return {
    path: seen.get(':path') ?? '',
    timeoutMs: timeoutMs(seen.get('grpc-timeout')),
    authorization: seen.get('authorization'),
    proof: proof === undefined ? undefined : Buffer.from(proof, 'base64'),
    requestId: optional.get(REQUEST_ID_HEADER),
    traceparent: optional.get(TRACEPARENT_HEADER),
  };
}

function timeoutMs(header = ''): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(header);
  return match === null ? undefined : Number(match[1]) * unitMs[match[2]!]!;
}

/** The bearer token. @throws CutlayerError TOKEN_MISSING */
export function bearerToken({ authorization = '' }: Pick<RequestHeaders, 'authorization'>): string {
  const match = /^Bearer +(\S+)$/i.exec(authorization);
  if (match === null) throw new CutlayerError('TOKEN_MISSING', 'authorization: expected "Bearer <token>" in the metadata');
  return match[1]!;
}

/** The declared time. @throws CutlayerError DEADLINE_REQUIRED when it is missing or malformed */
export function requireTimeout({ timeoutMs: declared }: Pick<RequestHeaders, 'timeoutMs'>): number {
  if (declared !== undefined) return declared;
  throw new CutlayerError('DEADLINE_REQUIRED', 'deadline: expected one on every call (grpc-timeout), got none');
}
