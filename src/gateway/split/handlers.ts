/** The methods of the split service, after authentication and parsing. */

import type { SplitDefinition } from '../../protocol/wire/generated/cutlayer/v1/Split.js';
import { splitRequestLayouts } from '../../protocol/wire/split-layouts.js';
import { loadSplitService, SPLIT_SERVICE } from '../../protocol/wire/split-service.js';
import { encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { requireScope } from '../../server/auth/scopes.js';
import type { Call } from '../../server/rpc/calls.js';
import { type HandlersOf, type RpcService, rpcService } from '../../server/rpc/rpc-service.js';
import { type BackboneEngine, prefixInitRefused } from '../engine/engine.js';
import { parseBackward } from './backward-request.js';
import { parseForward } from './forward-request.js';
import { type BackbonePolicy, modelResponse } from './get-model.js';
import { parseKeyValues } from './key-values-request.js';
import type { SplitLimits } from './limits.js';

/**
 * The split service over one engine, for a server to offer.
 * @param now milliseconds since 1970
 * @param stated what the vendor states beside the artifact
 */
export function splitService(engine: BackboneEngine, limits: SplitLimits, now: () => number, stated: Stated): RpcService {
  return rpcService({
    name: SPLIT_SERVICE,
    definition: loadSplitService().service,
    layouts: splitRequestLayouts(limits.maxTokens),
    handlers: splitHandlers(engine, limits, now, stated),
  });
}

type Stated = Omit<BackbonePolicy, 'prefixInit'>;

/** What the engine uses of a call. */
function engineCall({ principal, signal, deadline, handOver }: Call, now: () => number) {
  return { tenant: principal.tenant, signal, leftMs: () => deadline - now(), handOver };
}

/** The engine's step keys contain the call's tenant: no tenant reaches another tenant's step. */
function splitHandlers(engine: BackboneEngine, limits: SplitLimits, now: () => number, stated: Stated): HandlersOf<SplitDefinition> {
  const { artifact } = engine;
  const card = modelResponse(artifact, limits, { prefixInit: engine.answersKeyValues, ...stated });
  return {
    GetModel(_request, { principal }) {
      requireScope(principal, 'model:read', 'train', 'infer');
      return card;
    },

    async Forward(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, ...(request.training ? (['train'] as const) : (['infer', 'train'] as const)));
      const { step, answerDType, rows } = parseForward(request, artifact, limits);
      outcome.rows = rows;
      const output = await engine.forward({ ...step, ...engineCall(call, now) });
      return { hiddenStates: encodeTensor(output, answerDType, 'hiddenStates of the answer') };
    },

    async Backward(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, 'train');
      const { answerDType, ...step } = parseBackward(request, artifact, limits);
      const { adapterCotangent, hiddenStatesCotangent } = await engine.backward({ ...step, ...engineCall(call, now) });
      outcome.rows = step.cotangent.shape[0]!;
      return {
        ...(adapterCotangent && { adapterCotangent: encodeTensor(adapterCotangent, answerDType, 'adapterCotangent') }),
        ...(hiddenStatesCotangent && {
          hiddenStatesCotangent: encodeTensor(hiddenStatesCotangent, answerDType, 'hiddenStatesCotangent'),
        }),
      };
    },

    async KeyValues(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, 'train');
      // The policy comes first: a refused request is not checked.
      if (!engine.answersKeyValues) throw prefixInitRefused();
      const { input, answerDType, rows } = parseKeyValues(request, artifact, limits);
      outcome.rows = rows;
      const keyValues = await engine.keyValues({ ...input, ...engineCall(call, now) });
      return { keyValues: encodeTensor(keyValues, answerDType, 'keyValues') };
    },
  };
}
