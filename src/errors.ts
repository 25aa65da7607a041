/**
 * The one error class and the table of error codes. Codes, messages and details cross threads and
 * the wire; classes, causes and stacks never do.
 */

/**
 * What a caller can do about an error. `same`: send the same call again, after a pause.
 * `resendForward`: send the step's Forward again, then the call. `replaySession`: open the decode
 * session again and append its rows. `no`: the same call fails again.
 */
export type Retry = 'same' | 'resendForward' | 'replaySession' | 'no';

/** One row per code: the gRPC status, the HTTP status, and what a caller can do. */
interface ErrorRow {
  readonly grpc: number;
  readonly http: number;
  readonly retry: Retry;
}

const row = (grpc: number, http: number, retry: Retry = 'no'): ErrorRow => ({ grpc, http, retry });

/** gRPC status numbers, by name, as used in the table. */
const GRPC = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The closed table of error codes. */
export const errorTable = {
  // requests and tensors
  INVALID_ARGUMENT: row(GRPC.INVALID_ARGUMENT, 400),
  INVALID_SHAPE: row(GRPC.INVALID_ARGUMENT, 400),
  INVALID_DTYPE: row(GRPC.INVALID_ARGUMENT, 400),
  NON_FINITE: row(GRPC.INVALID_ARGUMENT, 400),
  LIMIT_EXCEEDED: row(GRPC.INVALID_ARGUMENT, 413),
  MESSAGE_TOO_LARGE: row(GRPC.RESOURCE_EXHAUSTED, 413),
  DEADLINE_REQUIRED: row(GRPC.INVALID_ARGUMENT, 400),
  DEADLINE_EXCEEDED: row(GRPC.DEADLINE_EXCEEDED, 504),
  CANCELLED: row(GRPC.CANCELLED, 499),
  UNIMPLEMENTED: row(GRPC.UNIMPLEMENTED, 501),
  // steps
  STEP_EVICTED: row(GRPC.ABORTED, 409, 'resendForward'),
  STEP_CONFLICT: row(GRPC.ALREADY_EXISTS, 409),
  // decode sessions
  SESSION_EVICTED: row(GRPC.ABORTED, 409, 'replaySession'),
  ADAPTER_UNSUPPORTED: row(GRPC.FAILED_PRECONDITION, 422),
  BACKBONE_MISMATCH: row(GRPC.FAILED_PRECONDITION, 412),
  PREFIX_INIT_REFUSED: row(GRPC.PERMISSION_DENIED, 403),
  PROTECTION_REFUSED: row(GRPC.PERMISSION_DENIED, 403),
  // authentication
  TOKEN_MISSING: row(GRPC.UNAUTHENTICATED, 401),
  TOKEN_INVALID: row(GRPC.UNAUTHENTICATED, 401),
  TOKEN_EXPIRED: row(GRPC.UNAUTHENTICATED, 401),
  SCOPE_MISSING: row(GRPC.PERMISSION_DENIED, 403),
  // tenants
  TENANT_UNKNOWN: row(GRPC.PERMISSION_DENIED, 403),
  TENANT_SUSPENDED: row(GRPC.PERMISSION_DENIED, 403),
  TENANT_DELETED: row(GRPC.PERMISSION_DENIED, 403),
  RATE_LIMITED: row(GRPC.RESOURCE_EXHAUSTED, 429, 'same'),
  // capacity and life cycle
  QUEUE_FULL: row(GRPC.RESOURCE_EXHAUSTED, 429, 'same'),
  WORKER_CRASHED: row(GRPC.UNAVAILABLE, 503, 'same'),
  DRAINING: row(GRPC.UNAVAILABLE, 503, 'same'),
  UNAVAILABLE: row(GRPC.UNAVAILABLE, 503, 'same'),
  AUDIT_UNAVAILABLE: row(GRPC.UNAVAILABLE, 503, 'same'),
  UNPATCHED_NODE: row(GRPC.FAILED_PRECONDITION, 412),
  OUT_OF_MEMORY: row(GRPC.RESOURCE_EXHAUSTED, 507),
  CERTIFICATE_REJECTED: row(GRPC.UNAVAILABLE, 502),
  // evidence of the code behind a gateway: the gateway has none, the client refuses it
  ATTESTATION_UNAVAILABLE: row(GRPC.FAILED_PRECONDITION, 412),
  ATTESTATION_REJECTED: row(GRPC.FAILED_PRECONDITION, 412),
  // flags and files of settings
  INVALID_OPTION: row(GRPC.INVALID_ARGUMENT, 400),
  // checkpoints, artifacts and files
  INVALID_CONFIG: row(GRPC.INVALID_ARGUMENT, 400),
  UNSUPPORTED_FAMILY: row(GRPC.INVALID_ARGUMENT, 400),
  UNSUPPORTED_CONFIG: row(GRPC.INVALID_ARGUMENT, 400),
  UNSUPPORTED_CHECKPOINT: row(GRPC.INVALID_ARGUMENT, 400),
  INVALID_CUT: row(GRPC.INVALID_ARGUMENT, 400),
  INVALID_SAFETENSORS: row(GRPC.INVALID_ARGUMENT, 400),
  MISSING_TENSOR: row(GRPC.INVALID_ARGUMENT, 400),
  UNEXPECTED_TENSOR: row(GRPC.INVALID_ARGUMENT, 400),
  INVALID_ARTIFACT: row(GRPC.INVALID_ARGUMENT, 400),
  DIGEST_MISMATCH: row(GRPC.DATA_LOSS, 422),
  SIGNATURE_REJECTED: row(GRPC.FAILED_PRECONDITION, 412),
  INVALID_ADAPTER: row(GRPC.INVALID_ARGUMENT, 400),
  ADAPTER_MISMATCH: row(GRPC.FAILED_PRECONDITION, 412),
  INVALID_DATA: row(GRPC.INVALID_ARGUMENT, 400),
  NOT_FOUND: row(GRPC.NOT_FOUND, 404),
  ALREADY_EXISTS: row(GRPC.ALREADY_EXISTS, 409),
  IO_ERROR: row(GRPC.INTERNAL, 500),
  // imported graphs
  INVALID_ONNX: row(GRPC.INVALID_ARGUMENT, 400),
  UNSUPPORTED_OP: row(GRPC.INVALID_ARGUMENT, 400),
  NOT_CAUSAL: row(GRPC.INVALID_ARGUMENT, 400),
  // federations
  MANIFEST_REJECTED: row(GRPC.FAILED_PRECONDITION, 412),
  BROADCAST_REJECTED: row(GRPC.FAILED_PRECONDITION, 412),
  CHAIN_FORKED: row(GRPC.FAILED_PRECONDITION, 412),
  ROUND_REFUSED: row(GRPC.FAILED_PRECONDITION, 412),
  NOT_A_MEMBER: row(GRPC.PERMISSION_DENIED, 403),
  PROOF_REFUSED: row(GRPC.UNAUTHENTICATED, 401),
  NOT_THE_FOUNDER: row(GRPC.PERMISSION_DENIED, 403),
  ORDER_OUTDATED: row(GRPC.FAILED_PRECONDITION, 409),
  ROUND_CLOSED: row(GRPC.FAILED_PRECONDITION, 409),
  SUBMISSION_CONFLICT: row(GRPC.ALREADY_EXISTS, 409),
  BUDGET_EXHAUSTED: row(GRPC.FAILED_PRECONDITION, 409),
  // a participant's data: the limit of examples is reached; a request of a foreign web page
  DATA_FULL: row(GRPC.RESOURCE_EXHAUSTED, 507),
  ORIGIN_REFUSED: row(GRPC.PERMISSION_DENIED, 403),
  // the store
  STORE_CORRUPT: row(GRPC.DATA_LOSS, 500),
  STORE_TOO_NEW: row(GRPC.FAILED_PRECONDITION, 412),
  STORE_TOO_OLD: row(GRPC.FAILED_PRECONDITION, 412),
  STORE_IN_USE: row(GRPC.FAILED_PRECONDITION, 409),
  // the audit log is not as it was written
  AUDIT_BROKEN: row(GRPC.DATA_LOSS, 500),
  // compiler
  INVALID_GRAPH: row(GRPC.INTERNAL, 500),
  NOT_DIFFERENTIABLE: row(GRPC.INTERNAL, 500),
  // training
  DIVERGED: row(GRPC.FAILED_PRECONDITION, 422),
  // secure aggregation: a participant that will not answer, a sum that cannot be unmasked
  SECAGG_REFUSED: row(GRPC.FAILED_PRECONDITION, 422),
  SECAGG_FAILED: row(GRPC.ABORTED, 409),
  INTERNAL: row(GRPC.INTERNAL, 500),
} as const satisfies Record<string, ErrorRow>;

/** A key of {@link errorTable}. */
export type ErrorCode = keyof typeof errorTable;

/** Values that may travel with an error: public, small, without tensors, texts or tokens. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean>>;

/** What crosses a thread or the wire in place of an error object. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** The message that a caller sees of an unforeseen error; its cause stays in the log. */
const INTERNAL_MESSAGE = 'internal error: the cause is in the log of the process that failed';

/** What V8 and the native runtime say when an allocation fails. */
const NO_MEMORY = /bad_alloc|bad allocation|allocation failed|failed to allocate|out of memory/i;

/** The one error class. `message` names the field, what was expected, what came and what to do. */
export class CutlayerError extends Error {
  override readonly name = 'CutlayerError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** What the caller can do about it, by the table. */
  get retry(): Retry {
    return errorTable[this.code].retry;
  }

  /** How long a server asks its caller to wait before it repeats the call; undefined: not said. */
  get retryAfterMs(): number | undefined {
    const ms = Number(this.details.retryAfterMs);
    return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
  }

  /** The part that may leave this thread. */
  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, details: this.details };
  }

  /** Converts any caught value: a CutlayerError stays, an unknown error gets a fixed message. */
  static from(caught: unknown): CutlayerError {
    if (caught instanceof CutlayerError) return caught;
    if (caught instanceof Error && caught.name === 'AbortError')
      return new CutlayerError('CANCELLED', 'the call was cancelled', { cause: caught });
    if (caught instanceof Error && NO_MEMORY.test(caught.message))
      return new CutlayerError('OUT_OF_MEMORY', 'out of memory: the batch is too large for the machine; send smaller ones', {
        cause: caught,
      });
    return new CutlayerError('INTERNAL', INTERNAL_MESSAGE, { cause: caught });
  }
}

/** Whether a string is a key of the error table. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
