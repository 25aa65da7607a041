/** Limits of a batch. */
import { wireBytes } from '../../../src/protocol/wire/wire-dtype.js';
import type { Adapter } from '../adapters/adapter.js';
import type { BatchLimits } from '../data/order.js';
import type { SplitModel } from '../model/split-model.js';

/** Limits of a batch: the caller's, within the gateway's. */
export function batchLimits(
  model: SplitModel,
  adapter: Pick<Adapter, 'numVirtualTokens'> | undefined,
  options: { readonly batchSize?: number | undefined; readonly maxTokensPerBatch?: number | undefined },
): BatchLimits {
  const { wireDtype, card } = model.remote.connection;
  const { limits, dims } = card;
  // Rows of the largest message, hidden states and adapter together.
  const rowsOfMessage = Math.floor(limits.maxMessageBytes / wireBytes([1, dims.hiddenSize], wireDtype));
  const room = Math.min(limits.maxTokens, rowsOfMessage) - (adapter?.numVirtualTokens ?? 0);
  const { defences } = model;
  const most = model.maxLength(adapter?.numVirtualTokens ?? 0);
  return {
    batchSize: Math.min(options.batchSize ?? 8, limits.maxBatch),
    maxTokensPerBatch: Math.min(options.maxTokensPerBatch ?? room, room),
    ...(defences.pads && { rowsOf: (length: number) => defences.paddedLength(length, most) }),
  };
}
