/** Requests to a gateway, up to the checked step. */
import assert from 'node:assert/strict';
import { parseBackward } from '../../../src/gateway/split/backward-request.js';
import { parseForward } from '../../../src/gateway/split/forward-request.js';
import { parseKeyValues } from '../../../src/gateway/split/key-values-request.js';
import { resolveLimits } from '../../../src/gateway/split/limits.js';
import type { BackwardRequest__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { ForwardRequest__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { KeyValuesRequest__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/KeyValuesRequest.js';
import { type SplitMethod, splitRequestLayouts } from '../../../src/protocol/wire/split-layouts.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import type { WireDType } from '../../../src/protocol/wire/wire-dtype.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { inputFor, methodInput, parsedRequest } from '../service-methods.js';
import { smallBackbone } from '../small-model.js';
import type { Target } from '../target.js';
import { methodMessage } from '../wire-messages.js';

const { service } = loadSplitService();
const limits = resolveLimits(smallBackbone.manifest.dims, { maxTokens: 64, maxBatch: 8, maxVirtualTokens: 4 });
const layouts = splitRequestLayouts(limits.maxTokens);
const tensor = (shape: readonly number[], dtype: WireDType = 'f32') =>
  encodeTensor(
    f32(
      shape,
      Array.from({ length: shape.reduce((product, dim) => product * dim, 1) }, (_, at) => at / 8),
    ),
    dtype,
  );

/** What each method makes of its request; the names are those of the service, so the types belong together. */
const parsers: Readonly<Record<SplitMethod, (request: object) => unknown>> = {
  GetModel: (request) => request,
  Forward: (request) => parseForward(request as ForwardRequest__Output, smallBackbone, limits),
  Backward: (request) => parseBackward(request as BackwardRequest__Output, smallBackbone, limits),
  KeyValues: (request) => parseKeyValues(request as KeyValuesRequest__Output, smallBackbone, limits),
  GetAttestation: (request) => request,
};

const forward = { stepId: 'step-1', backboneDigest: smallBackbone.digest, lengths: [3, 2], training: true };

export const target: Target = {
  examples: [
    inputFor(service, 'GetModel', {}),
    inputFor(service, 'Forward', { ...forward, hiddenStates: tensor([2, 3, 4]) }),
    inputFor(service, 'Forward', {
      ...forward,
      hiddenStates: tensor([2, 3, 4], 'int8'),
      positions: [0, 2, 3],
      responseDtype: 'DTYPE_BF16',
    }),
    inputFor(service, 'Forward', { ...forward, hiddenStates: tensor([5, 4]), softPrompt: tensor([2, 4]), positions: [1, 6] }),
    inputFor(service, 'Forward', { ...forward, hiddenStates: tensor([2, 3, 4], 'f16'), softPrompt: tensor([2, 4]) }),
    inputFor(service, 'Forward', { ...forward, hiddenStates: tensor([2, 3, 4]), prefix: tensor([2, 2, 3, 2, 2]) }),
    inputFor(service, 'Backward', { stepId: 'step-1', cotangent: tensor([3, 4]), wantHiddenStates: true }),
    inputFor(service, 'KeyValues', { backboneDigest: smallBackbone.digest, hiddenStates: tensor([1, 3, 4]) }),
    inputFor(service, 'GetAttestation', { nonce: Buffer.alloc(32, 7) }),
  ],
  made: methodMessage(Object.keys(service).length),
  words: [smallBackbone.digest],
  run(input) {
    const found = methodInput(service, input);
    const method = found.method as SplitMethod; // a method of this service
    const request = parsedRequest(found, layouts[method]);
    const parsed = parsers[method](request);
    const bytes = found.definition.requestSerialize(request);
    const again = parsedRequest({ ...found, bytes }, layouts[method]);
    assert.deepEqual(parsers[method](again), parsed);
  },
};
