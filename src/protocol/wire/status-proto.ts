/**
 * google.rpc.Status with google.rpc.ErrorInfo: the bytes of the `grpc-status-details-bin` trailer.
 * @see https://google.aip.dev/193
 */
import type { ErrorInfo, ErrorInfo__Output } from './generated/google/rpc/ErrorInfo.js';
import type { Status, Status__Output } from './generated/google/rpc/Status.js';
import { loadMessageType } from './proto.js';

const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';

const statusType = () => loadMessageType<Status, Status__Output>('google/rpc/status.proto', 'google.rpc.Status');
const errorInfoType = () => loadMessageType<ErrorInfo, ErrorInfo__Output>('google/rpc/error_details.proto', 'google.rpc.ErrorInfo');

/** What a rich error carries. */
export interface RichStatus {
  /** gRPC status number. */
  readonly grpcStatus: number;
  readonly message: string;
  readonly info: { readonly reason: string; readonly domain: string; readonly metadata: Readonly<Record<string, string>> };
}

/** Serialises a rich status. */
export function encodeStatus({ grpcStatus, message, info }: RichStatus): Buffer {
  const value = errorInfoType().serialize({ ...info, metadata: { ...info.metadata } });
  return statusType().serialize({ code: grpcStatus, message, details: [{ type_url: ERROR_INFO_TYPE, value }] });
}

/** Parses a rich status; undefined when the bytes are not one, or hold no ErrorInfo. */
export function decodeStatus(bytes: Buffer): RichStatus | undefined {
  try {
    const { code, message, details } = statusType().deserialize(bytes);
    const any = details.find((detail) => 'type_url' in detail && detail.type_url === ERROR_INFO_TYPE) as { value?: Buffer } | undefined;
    if (any?.value === undefined) return undefined;
    const info = errorInfoType().deserialize(Buffer.from(any.value));
    return { grpcStatus: code, message, info: { reason: info.reason, domain: info.domain, metadata: info.metadata } };
  } catch {
    return undefined;
  }
}
