/** What one call may ask for, as the model card tells it to clients. */
import type { BackboneManifest } from '../../artifacts/manifest.js';
import type { CallLimits } from '../../server/rpc/limits.js';

/** Limits of a gateway; all but those of calls at once are in the model card. */
export interface SplitLimits extends CallLimits {
  readonly maxBatch: number;
  /** Rows of a step: batch * sequence + virtual tokens. */
  readonly maxTokens: number;
  readonly maxVirtualTokens: number;
}

/** Limits that a vendor did not set. */
export const defaultLimits = {
  maxBatch: 256,
  maxTokens: 16_384,
  maxVirtualTokens: 1024,
  maxDeadlineMs: 600_000,
  maxInFlight: 64,
} as const satisfies Partial<SplitLimits>;

/** Ids, lengths and positions beside a message's tensors. */
const OVERHEAD_BYTES = 64 * 1024;

/**
 * Fills in what was not given. The largest message is what the largest legal step in f32 needs, so that a limit in tokens is the one that
 * people meet: with a prefix of every layer, or positions and lengths of every row.
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
