/** Errors in the shape of the Messages API: `{type: "error", error: {type, message}}`. */
import type { Problem } from '../http/problem.js';

/** Paths whose errors have this shape. */
export const MESSAGES_PATH = '/v1/messages';

/** @see https://docs.claude.com/en/api/errors */
const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
};

/** A problem as a client of the Messages API reads it. */
export function messageProblem({ status, error }: Problem) {
  const type = types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  return { type: 'error', error: { type, message: error.message } };
}
