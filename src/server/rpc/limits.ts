/** Limits of a call to any service. */

/** The limits of a server. */
export interface CallLimits {
  readonly maxMessageBytes: number;
  /** Longest time for one call; a later deadline is shortened to it. */
  readonly maxDeadlineMs: number;
  /** Concurrent calls of all tenants; more are refused as retryable. */
  readonly maxInFlight: number;
  /** Concurrent calls of one tenant; more are refused as retryable. Default: all. */
  readonly maxInFlightPerTenant?: number | undefined;
}
