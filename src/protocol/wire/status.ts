/**
 * Errors on the wire. A CutlayerError travels as a gRPC status whose trailers hold a
 * google.rpc.Status with an ErrorInfo, for clients in any language. Its reason is the code, its
 * domain `cutlayer`, its metadata the details. Another trailer holds the code as text, for grpcurl.
 */
import { status as grpcStatus, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { CutlayerError, type ErrorCode, errorTable, isErrorCode } from '../../errors.js';
import { decodeStatus, encodeStatus, type RichStatus } from './status-proto.js';

/** The trailer that gRPC's richer error model uses. */
const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';
/** The trailer that holds our code as text. */
export const ERROR_CODE_TRAILER = 'cutlayer-error-code';

const DOMAIN = 'cutlayer';
/** Trailers share one HTTP/2 header list; a message never needs more. */
const MAX_MESSAGE_CHARS = 1024;

/** Bounded, well-formed Unicode: grpc-js percent-encodes it and throws at lone surrogates. */
function safeMessage(message: string): string {
  return Buffer.from(message.slice(0, MAX_MESSAGE_CHARS), 'utf8').toString('utf8');
}

/** A server's status; an unknown error becomes INTERNAL with a fixed public message. */
export function toServiceError(caught: unknown): StatusObject {
  const error = CutlayerError.from(caught);
  const { code, message, details } = error.toRecord();
  const metadata = new Metadata();
  const text = safeMessage(message);
  const entries = Object.entries(details).map(([key, value]) => [key, safeMessage(String(value))]);
  metadata.set(ERROR_CODE_TRAILER, code);
  metadata.set(
    STATUS_DETAILS_TRAILER,
    encodeStatus({
      grpcStatus: errorTable[code].grpc,
      message: text,
      info: { reason: code, domain: DOMAIN, metadata: Object.fromEntries(entries) },
      retryAfterMs: error.retryAfterMs,
    }),
  );
  return { code: errorTable[code].grpc, details: text, metadata };
}

/** Codes of statuses without our details: grpc-js's, a proxy's or another implementation's. */
const codeOfStatus: Readonly<Partial<Record<number, ErrorCode>>> = {
  [grpcStatus.CANCELLED]: 'CANCELLED',
  [grpcStatus.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [grpcStatus.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [grpcStatus.NOT_FOUND]: 'NOT_FOUND',
  [grpcStatus.ALREADY_EXISTS]: 'ALREADY_EXISTS',
  [grpcStatus.PERMISSION_DENIED]: 'SCOPE_MISSING',
  [grpcStatus.RESOURCE_EXHAUSTED]: 'QUEUE_FULL',
  [grpcStatus.UNIMPLEMENTED]: 'UNIMPLEMENTED',
  [grpcStatus.UNAVAILABLE]: 'UNAVAILABLE',
  [grpcStatus.UNAUTHENTICATED]: 'TOKEN_INVALID',
};

function isServiceError(caught: unknown): caught is ServiceError {
  return caught instanceof Error && 'code' in caught && typeof caught.code === 'number' && 'details' in caught;
}

function richStatusOf(error: ServiceError): RichStatus | undefined {
  const [value] = error.metadata?.get(STATUS_DETAILS_TRAILER) ?? [];
  const rich = value instanceof Buffer ? decodeStatus(value) : undefined;
  return rich?.info.domain === DOMAIN ? rich : undefined;
}

/** The code of a status that bears no details of ours. */
function foreignCode({ code, details }: ServiceError): ErrorCode {
  if (code === grpcStatus.RESOURCE_EXHAUSTED && /larger than/.test(details)) return 'MESSAGE_TOO_LARGE';
  // A broken connection: grpc-js says INTERNAL when the stream dies before the session.
  if (code === grpcStatus.INTERNAL && /RST_STREAM|ECONNRESET|EPIPE|socket/i.test(details)) return 'UNAVAILABLE';
  return codeOfStatus[code] ?? 'INTERNAL';
}

/** What a client makes of a failed call. Details come back as text. */
export function fromServiceError(caught: unknown): CutlayerError {
  if (!isServiceError(caught)) return CutlayerError.from(caught);
  const rich = richStatusOf(caught);
  if (rich !== undefined && isErrorCode(rich.info.reason)) {
    const { info, retryAfterMs } = rich;
    const details = { ...info.metadata, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return new CutlayerError(info.reason as ErrorCode, rich.message, { details, cause: caught }); // checked above
  }
  return new CutlayerError(foreignCode(caught), caught.details || caught.message, { cause: caught });
}
