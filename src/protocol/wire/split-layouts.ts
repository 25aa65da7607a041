/** Layouts of the split service's requests (see message-layout.ts); a test holds them against the proto. */
import type { MessageLayout } from './message-layout.js';

/** No tensor of the service has more dims than a prefix: 5. A few more are let through, so that the answer can show them. */
const MAX_DIMS = 16;
/** A valid step id has at most 64 characters, a digest 64: longer ones, up to this, get the handler's clearer error. */
const MAX_TEXT_BYTES = 1024;

/** A tensor of any service. */
export const tensorLayout: MessageLayout = {
  1: { name: 'dtype', kind: 'varint' },
  2: { name: 'shape', kind: 'uint32s', maxCount: MAX_DIMS },
  3: { name: 'data', kind: 'bytes' },
  4: { name: 'scales', kind: 'bytes' },
};

/** The methods of the service. */
export type SplitMethod = 'GetModel' | 'Forward' | 'Backward' | 'KeyValues';

/** Request layouts by method. @param maxTokens the gateway's limit of rows in a step */
export function splitRequestLayouts(maxTokens: number): Readonly<Record<SplitMethod, MessageLayout>> {
  return {
    GetModel: {},
    Forward: {
      1: { name: 'stepId', kind: 'string', maxBytes: MAX_TEXT_BYTES },
      2: { name: 'backboneDigest', kind: 'string', maxBytes: MAX_TEXT_BYTES },
      3: { name: 'hiddenStates', kind: 'message', layout: tensorLayout },
      4: { name: 'lengths', kind: 'uint32s', maxCount: maxTokens },
      5: { name: 'softPrompt', kind: 'message', layout: tensorLayout },
      6: { name: 'prefix', kind: 'message', layout: tensorLayout },
      7: { name: 'positions', kind: 'uint32s', maxCount: maxTokens },
      8: { name: 'training', kind: 'varint' },
      9: { name: 'responseDtype', kind: 'varint' },
    },
    Backward: {
      1: { name: 'stepId', kind: 'string', maxBytes: MAX_TEXT_BYTES },
      2: { name: 'cotangent', kind: 'message', layout: tensorLayout },
      3: { name: 'wantHiddenStates', kind: 'varint' },
      4: { name: 'responseDtype', kind: 'varint' },
    },
    KeyValues: {
      1: { name: 'backboneDigest', kind: 'string', maxBytes: MAX_TEXT_BYTES },
      2: { name: 'hiddenStates', kind: 'message', layout: tensorLayout },
      3: { name: 'responseDtype', kind: 'varint' },
    },
  };
}
