/** The limits of one call, as the model card states them. */
import type { BackboneManifest } from '../../artifacts/manifest.js';
import type { CallLimits } from '../../server/rpc/limits.js';

/** Limits of a gateway; the model card has all but those of concurrent calls. */
export interface SplitLimits extends CallLimits {
  readonly maxBatch: number;
  /** Rows of a step: batch * sequence + virtual tokens. */
  readonly maxTokens: number;
  readonly maxVirtualTokens: number;
}

/** Limits that the vendor has not set. */
export const defaultLimits = {
  maxBatch: 256,
  maxTokens: 16_384,
  maxVirtualTokens: 1024,
  maxDeadlineMs: 600_000,
  maxInFlight: 64,
} as const satisfies Partial<SplitLimits>;

/** For ids, lengths and positions beside a message's tensors. */
const OVERHEAD_BYTES = 64 * 1024;

/**
 * Fills in missing limits. The largest message fits the largest legal step in float32, so that a
 * step meets its limit of tokens first. That step has a prefix of every layer, and positions and
 * lengths of every row.
 */
export function resolveLimits(dims: BackboneManifest['dims'], given: Partial<SplitLimits> = {}): SplitLimits {
  const limits = { ...defaultLimits, ...definedOnly(given) };
  const maxVirtualTokens = Math.max(1, Math.min(limits.maxVirtualTokens, dims.maxPositions - 1));
  const rowBytes = dims.hiddenSize * 4 + 10;
  const prefixBytes = dims.numLayers * 2 * maxVirtualTokens * dims.numKvHeads * dims.headDim * 4;
  const maxMessageBytes = given.maxMessageBytes ?? Math.min(limits.maxTokens * rowBytes + prefixBytes + OVERHEAD_BYTES, 2 ** 31 - 1);
  return Object.freeze({ ...limits, maxVirtualTokens, maxMessageBytes });
}

function definedOnly(given: Partial<SplitLimits>): Partial<SplitLimits> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
