/**
 * Errors in the shape of OpenAI's API: `{error: {message, type, param, code}}`, with the HTTP
 * status of the error table.
 */
import { CutlayerError, type ErrorCode, errorTable } from '../../../../src/errors.js';

/** What a client is told. */
export interface Problem {
  readonly status: number;
  /** Seconds after which the same request may succeed; undefined where it will not. */
  readonly retryAfter: number | undefined;
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

/** Codes that OpenAI's clients know; the others are the error table's in lower case. */
const knownCodes: Readonly<Partial<Record<ErrorCode, string>>> = {
  TOKEN_MISSING: 'invalid_api_key',
  TOKEN_INVALID: 'invalid_api_key',
  QUEUE_FULL: 'rate_limit_exceeded',
};

/** An error of a request's field. @param code What OpenAI's API calls it. */
export function badField(param: string, message: string, code = 'invalid_value'): CutlayerError {
  return new CutlayerError('INVALID_ARGUMENT', message.startsWith(param) ? message : `${param}: ${message}`, { details: { param, code } });
}

/** What a caught value tells a client. An unforeseen error has a fixed message. */
export function problemOf(caught: unknown): Problem {
  const error = CutlayerError.from(httpError(caught) ?? caught);
  const { http, retry } = errorTable[error.code];
  const { param, code } = error.details;
  return {
    status: http,
    retryAfter: retry === 'same' ? 2 : undefined,
    error: {
      message: error.message,
      type: typeOf(http),
      param: typeof param === 'string' ? param : null,
      code: typeof code === 'string' ? code : (knownCodes[error.code] ?? error.code.toLowerCase()),
    },
  };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 404) return 'not_found_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** What express found wrong with a request. */
function httpError(caught: unknown): CutlayerError | undefined {
  if (!(caught instanceof Error && 'status' in caught && typeof caught.status === 'number')) return undefined;
  if (caught.status === 413) return new CutlayerError('MESSAGE_TOO_LARGE', 'body: longer than --max-body allows; send less text');
  if (caught.status === 415) return new CutlayerError('INVALID_ARGUMENT', 'content-encoding: expected none');
  return caught.status < 500 ? new CutlayerError('INVALID_ARGUMENT', 'request: malformed') : undefined;
}
