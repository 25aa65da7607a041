/** What each method of the split service does, once its request is parsed and its caller known. */
import { requireScope } from '../auth/scopes.js';
import { type Engine, prefixInitRefused } from '../runtime/engine.js';
import type { BackwardRequest__Output } from '../wire/generated/cutlayer/v1/BackwardRequest.js';
import type { BackwardResponse } from '../wire/generated/cutlayer/v1/BackwardResponse.js';
import type { ForwardRequest__Output } from '../wire/generated/cutlayer/v1/ForwardRequest.js';
import type { ForwardResponse } from '../wire/generated/cutlayer/v1/ForwardResponse.js';
import type { GetModelResponse } from '../wire/generated/cutlayer/v1/GetModelResponse.js';
import type { KeyValuesRequest__Output } from '../wire/generated/cutlayer/v1/KeyValuesRequest.js';
import type { KeyValuesResponse } from '../wire/generated/cutlayer/v1/KeyValuesResponse.js';
import { encodeTensor } from '../wire/tensor-codec.js';
import { parseBackward } from './backward-request.js';
import type { Call } from './calls.js';
import { parseForward } from './forward-request.js';
import { parseKeyValues } from './key-values-request.js';
import type { ServiceLimits } from './limits.js';
import { modelCard } from './model-card.js';

/** The methods, without transport. */
export interface SplitHandlers {
  getModel(request: unknown, call: Call): GetModelResponse;
  forward(request: ForwardRequest__Output, call: Call): Promise<ForwardResponse>;
  backward(request: BackwardRequest__Output, call: Call): Promise<BackwardResponse>;
  keyValues(request: KeyValuesRequest__Output, call: Call): Promise<KeyValuesResponse>;
}

/** The handlers of one engine. The tenant of each call is part of the engine's step keys: no tenant reaches another's step. */
export function splitHandlers(engine: Engine, limits: ServiceLimits): SplitHandlers {
  const { artifact } = engine;
  const card = modelCard(artifact, limits, { prefixInit: engine.answersKeyValues });
  return {
    getModel(_request, { principal }) {
      requireScope(principal, 'split:train', 'split:infer');
      return card;
    },

    async forward(request, { principal, signal, outcome }) {
      requireScope(principal, ...(request.training ? (['split:train'] as const) : (['split:infer', 'split:train'] as const)));
      const { step, answerDType, rows } = parseForward(request, artifact, limits);
      outcome.rows = rows;
      const output = await engine.forward({ ...step, tenant: principal.tenant, signal });
      return { hiddenStates: encodeTensor(output, answerDType, 'hiddenStates of the answer') };
    },

    async backward(request, { principal, signal, outcome }) {
      requireScope(principal, 'split:train');
      const { answerDType, ...step } = parseBackward(request, artifact, limits);
      const { adapterCotangent, hiddenStatesCotangent } = await engine.backward({ ...step, tenant: principal.tenant, signal });
      outcome.rows = step.cotangent.shape[0]!;
      return {
        ...(adapterCotangent && { adapterCotangent: encodeTensor(adapterCotangent, answerDType, 'adapterCotangent') }),
        ...(hiddenStatesCotangent && {
          hiddenStatesCotangent: encodeTensor(hiddenStatesCotangent, answerDType, 'hiddenStatesCotangent'),
        }),
      };
    },

    async keyValues(request, { principal, signal, outcome }) {
      requireScope(principal, 'split:train');
      // The policy comes before the request: what is refused anyway need not be right.
      if (!engine.answersKeyValues) throw prefixInitRefused();
      const { input, answerDType, rows } = parseKeyValues(request, artifact, limits);
      outcome.rows = rows;
      const keyValues = await engine.keyValues({ ...input, signal });
      return { keyValues: encodeTensor(keyValues, answerDType, 'keyValues') };
    },
  };
}
