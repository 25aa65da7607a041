/** A connection to no gateway: the client's code computes what it would send, and sends nothing. */
import { type WireDType, wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { noWork } from '../connection/charged-work.js';
import type { Connection } from '../connection/connect.js';
import type { ServedModel } from '../connection/served-model.js';
import type { ClientBundle } from '../model/client-bundle.js';

const MOST = 2 ** 40;

/** The model card is the bundle's own, without a limit. */
export function offlineConnection(bundle: ClientBundle, wireDtype: WireDType): Connection {
  const { backboneDigest, dims, cut } = bundle.identity;
  const card: ServedModel = {
    ...{ name: bundle.manifest.name, family: bundle.family, backboneDigest, dims, cut: { bottom: cut.bottom, top: cut.top } },
    limits: { maxMessageBytes: MOST, maxBatch: MOST, maxTokens: MOST, maxVirtualTokens: MOST, maxDeadlineMs: MOST },
    ...{ wireDtypes: wireDTypeNames, adapters: ['softPrompt', 'prefix'], prefixInit: false, maxDecodeRows: 0, maxLongDecodeRows: 0 },
    ...{ shutdownDate: undefined, prices: undefined, packedRows: true, protection: {} },
  };
  const counters = { bytesUp: 0, bytesDown: 0, retries: 0, rowsShared: 0 };
  // What a step reads of a connection; its calls are answered by the tap.
  const parts = { address: 'no gateway', card, wireDtype, shareText: false, counters, charged: noWork, close: () => undefined };
  return parts as Partial<Connection> as Connection;
}
