/** google.rpc.Status with google.rpc.ErrorInfo: the bytes of the `grpc-status-details-bin` trailer. @see https://google.aip.dev/193 */
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import type { ErrorInfo, ErrorInfo__Output } from './generated/google/rpc/ErrorInfo.js';
import type { Status, Status__Output } from './generated/google/rpc/Status.js';
import { loadProtos } from './proto.js';

const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';

interface StatusTypes {
  readonly status: MessageTypeDefinition<Status, Status__Output>;
  readonly errorInfo: MessageTypeDefinition<ErrorInfo, ErrorInfo__Output>;
}

let types: StatusTypes | undefined;

function load(): StatusTypes {
  if (types === undefined) {
    const loaded = loadProtos(['google/rpc/status.proto', 'google/rpc/error_details.proto']);
    // Both files were just loaded: these names are message types in them.
    types = {
      status: loaded['google.rpc.Status'] as StatusTypes['status'],
      errorInfo: loaded['google.rpc.ErrorInfo'] as StatusTypes['errorInfo'],
    };
  }
  return types;
}

/** What a rich error carries. */
export interface RichStatus {
  /** gRPC status number. */
  readonly grpcStatus: number;
  readonly message: string;
  readonly info: { readonly reason: string; readonly domain: string; readonly metadata: Readonly<Record<string, string>> };
}

/** Serialises a rich status. */
export function encodeStatus({ grpcStatus, message, info }: RichStatus): Buffer {
  const { status, errorInfo } = load();
  const value = errorInfo.serialize({ ...info, metadata: { ...info.metadata } });
  return status.serialize({ code: grpcStatus, message, details: [{ type_url: ERROR_INFO_TYPE, value }] });
}

/** Parses a rich status; undefined when the bytes are not one, or hold no ErrorInfo. */
export function decodeStatus(bytes: Buffer): RichStatus | undefined {
  const { status, errorInfo } = load();
  try {
    const { code, message, details } = status.deserialize(bytes);
    const any = details.find((detail) => 'type_url' in detail && detail.type_url === ERROR_INFO_TYPE) as { value?: Buffer } | undefined;
    if (any?.value === undefined) return undefined;
    const info = errorInfo.deserialize(Buffer.from(any.value));
    return { grpcStatus: code, message, info: { reason: info.reason, domain: info.domain, metadata: info.metadata } };
  } catch {
    return undefined;
  }
}
