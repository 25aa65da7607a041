/** Bounds of the split service's requests (see request-layouts.ts). */
import type { SplitDefinition } from './generated/cutlayer/v1/Split.js';
import { type Bounds, type MethodName, requestLayouts } from './request-layouts.js';
import { SPLIT_SERVICE } from './split-service.js';

/**
 * No tensor has more dims than a prefix: 5. A few more are let through, so that the answer can show
 * them. Its data may fill the message.
 */
export const tensorBounds: Bounds = {
  Tensor: { shape: { maxCount: 16 }, data: { maxBytes: Number.POSITIVE_INFINITY }, scales: { maxBytes: Number.POSITIVE_INFINITY } },
};

/** The methods of the service. */
export type SplitMethod = MethodName<SplitDefinition>;

/** Request layouts by method. @param maxTokens the gateway's limit of rows in a step */
export const splitRequestLayouts = (maxTokens: number) =>
  requestLayouts<SplitDefinition>('cutlayer/v1/split.proto', SPLIT_SERVICE, {
    ...tensorBounds,
    GetAttestationRequest: { nonce: { maxBytes: 64 } },
    ForwardRequest: { lengths: { maxCount: maxTokens }, positions: { maxCount: maxTokens } },
  });
