/** Errors of the token endpoint, as RFC 6749 sec. 5.2 names them. */

/** Each code with its HTTP status. */
const statuses = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_dpop_proof: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_token_type: 400,
  temporarily_unavailable: 503,
  slow_down: 429,
  server_error: 500,
} as const;

/** A code of an answer that refuses. */
export type OAuthErrorCode = keyof typeof statuses;

/** All of them. */
export const oauthErrorCodes = Object.keys(statuses) as [OAuthErrorCode, ...OAuthErrorCode[]]; // the keys of a closed table

/** A refusal. Its message goes to the caller; its cause goes to the log. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';
  readonly code: OAuthErrorCode;
  /** Seconds after which the same request may be sent again. */
  readonly retryAfter: number | undefined;

  constructor(code: OAuthErrorCode, message: string, options: { readonly cause?: unknown; readonly retryAfter?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return statuses[this.code];
  }
}

/**
 * One text for every client that does not prove itself: it tells nothing of which ids there are.
 */
export const invalidClient = (cause?: unknown): OAuthError =>
  new OAuthError('invalid_client', 'client: unknown, disabled or not proven', { cause });
