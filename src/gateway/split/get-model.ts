/** The answer to GetModel: what a client needs to know of a backbone, without its weights. */
import type { SpanLimits } from '../../artifacts/decode-graph.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import type { PriceList } from '../../protocol/metering/prices.js';
import type { GetModelResponse } from '../../protocol/wire/generated/cutlayer/v1/GetModelResponse.js';
import { wireDTypeNames, wireDTypes } from '../../protocol/wire/wire-dtype.js';
import type { SplitLimits } from './limits.js';

/** What a vendor states of a backbone beside its artifact. */
export interface BackbonePolicy {
  readonly prefixInit: boolean;
  /** The longest decode sessions; undefined: there are none. */
  readonly spans: SpanLimits | undefined;
  /** `2027-03-01`; undefined: not announced. */
  readonly shutdownDate: string | undefined;
  /** Undefined: none are stated. */
  readonly prices: PriceList | undefined;
}

/** The model card. */
export function modelResponse(
  { manifest, digest }: BackboneArtifact,
  limits: SplitLimits,
  { prefixInit, spans, shutdownDate, prices }: BackbonePolicy,
): GetModelResponse {
  const { name, family, dims, cut, graphs } = manifest;
  const { maxMessageBytes, maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs } = limits;
  return {
    name,
    family,
    backboneDigest: digest,
    dims: { ...dims },
    cut: { bottom: cut.bottom, top: cut.top },
    limits: { maxMessageBytes, maxBatch, maxTokens, maxVirtualTokens, maxDeadlineMs },
    wireDtypes: wireDTypeNames.map((dtype) => wireDTypes[dtype].proto),
    adapters: ['ADAPTER_KIND_SOFT_PROMPT', ...(graphs.prefix === undefined ? [] : ['ADAPTER_KIND_PREFIX' as const])],
    prefixInit,
    maxDecodeRows: spans?.maxRows ?? 0,
    maxLongDecodeRows: spans?.longRows ?? 0,
    shutdownDate: shutdownDate ?? '',
    ...(prices && { prices: { ...prices } }),
  };
}
