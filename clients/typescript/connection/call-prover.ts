/** What proves the caller of each call, beside its token. */

/** One attempt at a call. */
export interface ProvenAttempt {
  readonly method: string;
  /** The request's bytes. */
  readonly message: Uint8Array;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Makes the proofs of a channel. */
export interface CallProver {
  /** The header's bytes; undefined: this method needs none. @throws CutlayerError */
  prove(attempt: ProvenAttempt): Promise<Uint8Array | undefined>;
  /** The server has refused a proof: the next one is made anew. */
  renew(): void;
}
