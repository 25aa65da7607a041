/**
 * google.rpc.Status with google.rpc.ErrorInfo, and google.rpc.RetryInfo where the server says when
 * to repeat the call: the bytes of the `grpc-status-details-bin` trailer.
 * @see https://google.aip.dev/193
 */
import type { ErrorInfo, ErrorInfo__Output } from './generated/google/rpc/ErrorInfo.js';
import type { RetryInfo, RetryInfo__Output } from './generated/google/rpc/RetryInfo.js';
import type { Status, Status__Output } from './generated/google/rpc/Status.js';
import { loadMessageType } from './proto.js';

const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';
const RETRY_INFO_TYPE = 'type.googleapis.com/google.rpc.RetryInfo';

const statusType = () => loadMessageType<Status, Status__Output>('google/rpc/status.proto', 'google.rpc.Status');
const errorInfoType = () => loadMessageType<ErrorInfo, ErrorInfo__Output>('google/rpc/error_details.proto', 'google.rpc.ErrorInfo');
const retryInfoType = () => loadMessageType<RetryInfo, RetryInfo__Output>('google/rpc/error_details.proto', 'google.rpc.RetryInfo');

/** What a rich error carries. */
export interface RichStatus {
  /** gRPC status number. */
  readonly grpcStatus: number;
  readonly message: string;
  readonly info: { readonly reason: string; readonly domain: string; readonly metadata: Readonly<Record<string, string>> };
  /** Of RetryInfo; undefined without one. */
  readonly retryAfterMs?: number | undefined;
}

/** Serialises a rich status. */
export function encodeStatus({ grpcStatus, message, info, retryAfterMs }: RichStatus): Buffer {
  const details = [{ type_url: ERROR_INFO_TYPE, value: errorInfoType().serialize({ ...info, metadata: { ...info.metadata } }) }];
  if (retryAfterMs !== undefined) {
    const retryDelay = { seconds: Math.floor(retryAfterMs / 1000), nanos: Math.round((retryAfterMs % 1000) * 1e6) };
    details.push({ type_url: RETRY_INFO_TYPE, value: retryInfoType().serialize({ retryDelay }) });
  }
  return statusType().serialize({ code: grpcStatus, message, details });
}

/** Parses a rich status; undefined when the bytes are not one, or hold no ErrorInfo. */
export function decodeStatus(bytes: Buffer): RichStatus | undefined {
  try {
    const { code, message, details } = statusType().deserialize(bytes);
    const detailOf = (type: string): Buffer | undefined => {
      const any = details.find((detail) => 'type_url' in detail && detail.type_url === type) as { value?: Buffer } | undefined;
      return any?.value && Buffer.from(any.value);
    };
    const value = detailOf(ERROR_INFO_TYPE);
    if (value === undefined) return undefined;
    const { reason, domain, metadata } = errorInfoType().deserialize(value);
    const retry = detailOf(RETRY_INFO_TYPE);
    const delay = retry === undefined ? undefined : retryInfoType().deserialize(retry).retryDelay;
    const retryAfterMs = delay == null ? undefined : delay.seconds * 1000 + delay.nanos / 1e6;
    return { grpcStatus: code, message, info: { reason, domain, metadata }, retryAfterMs };
  } catch {
    return undefined;
  }
}
