/** Limits of any call, whatever its service. */

/** What a server takes. */
export interface CallLimits {
  readonly maxMessageBytes: number;
  /** Longest time for one call; a later deadline is cut down to it. */
  readonly maxDeadlineMs: number;
  /** Calls at once, over all tenants; more are refused as retryable. */
  readonly maxInFlight: number;
  /** Of these, one tenant's; more are refused as retryable. Default: all. */
  readonly maxInFlightPerTenant?: number | undefined;
}
