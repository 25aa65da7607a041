/** The answer to GetModel: what a client needs to know of a backbone, without its weights. */
import type { SpanLimits } from '../../artifacts/decode-graph.js';
import type { BackboneArtifact } from '../../artifacts/store.js';
import type { PriceList } from '../../protocol/metering/prices.js';
import type { GetModelResponse } from '../../protocol/wire/generated/cutlayer/v1/GetModelResponse.js';
import type { Protection as ProtectionMessage } from '../../protocol/wire/generated/cutlayer/v1/Protection.js';
import { wireDTypeNames, wireDTypes } from '../../protocol/wire/wire-dtype.js';
import type { Policy } from '../protection/policy.js';
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
    packedRows: true,
    ...(prices && { prices: { ...prices } }),
  };
}

/** A tenant's protection policy as the model card states it; 0: no bound. */
export const protectionOf = (policy: Policy): ProtectionMessage => ({
  backwardsPerForward: policy.backwardsPerForward ?? 0,
  directionsPerStep: policy.directionsPerStep ?? 0,
  minTokens: policy.minTokens ?? 0,
  directionsPerInput: policy.directionsPerInput ?? 0,
  nearInputs: policy.nearInputs ?? 0,
  minRowNorm: policy.minRowNorm ?? 0,
  maxRowNorm: policy.maxRowNorm ?? 0,
  maxPromptNorm: policy.maxPromptNorm ?? 0,
  rowsPerDay: policy.rowsPerDay ?? 0,
  alarmAt: policy.alarmAt,
});
