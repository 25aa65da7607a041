/** Messages of a decode stream, up to the checked session and rows. */
import assert from 'node:assert/strict';
import { type DecodeChecks, parseAppend, parseOpen } from '../../../src/gateway/decode/decode-request.js';
import { decodeRequestLayout, loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import type { DecodeRequest, DecodeRequest__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { inputFor, methodInput, parsedRequest } from '../service-methods.js';
import { smallBackbone } from '../small-model.js';
import type { Target } from '../target.js';
import { methodMessage } from '../wire-messages.js';

const { service } = loadDecodeService();
const layout = decodeRequestLayout(64);
const checks: DecodeChecks = { backbone: smallBackbone, limits: { maxTokens: 64, maxVirtualTokens: 4 }, maxRows: 32, longRows: 48 };
const tensor = (shape: readonly number[]) =>
  encodeTensor(
    f32(
      shape,
      Array.from({ length: shape.reduce((product, dim) => product * dim, 1) }, (_, at) => at / 8),
    ),
    'f32',
  );

/** What a stream makes of a message. */
function parsed(request: DecodeRequest__Output): unknown {
  if (request.open != null) return parseOpen(request.open, checks);
  return request.append == null ? request : parseAppend(request.append, checks);
}

const open = { sessionId: 'one', backboneDigest: smallBackbone.digest, maxRows: 16 };
const example = (request: DecodeRequest): Uint8Array => inputFor(service, 'Decode', request);

export const target: Target = {
  examples: [
    example({ open }),
    example({ open: { ...open, softPrompt: tensor([2, 4]) } }),
    example({ open: { ...open, prefix: tensor([2, 2, 3, 2, 2]) } }),
    example({ open: { ...open, maxRows: 40, longRope: true } }),
    example({ resume: { sessionId: 'one', length: 3 } }),
    example({ append: { from: 3, rows: tensor([5, 4]), positions: [0, 4], responseDtype: 'DTYPE_BF16' } }),
    example({ append: { rows: tensor([1, 4]) } }),
    example({ append: { from: 5, rows: tensor([2, 4]), noRows: true } }),
    example({ rollback: { length: 2 } }),
    example({ fork: { sessionId: 'two' } }),
    example({ close: {} }),
  ],
  made: methodMessage(1),
  words: [smallBackbone.digest],
  run(input) {
    const found = methodInput(service, input);
    const request = parsedRequest(found, layout) as DecodeRequest__Output; // of the service's one method
    const value = parsed(request);
    const again = parsedRequest({ ...found, bytes: found.definition.requestSerialize(request) }, layout);
    assert.deepEqual(parsed(again as DecodeRequest__Output), value);
  },
};
