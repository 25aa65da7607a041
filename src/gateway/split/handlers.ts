/** The methods of the split service, after authentication and parsing. */

import type { SplitDefinition } from '../../protocol/wire/generated/cutlayer/v1/Split.js';
import { splitRequestLayouts } from '../../protocol/wire/split-layouts.js';
import { loadSplitService, SPLIT_SERVICE } from '../../protocol/wire/split-service.js';
import { encodeTensor } from '../../protocol/wire/tensor-codec.js';
import { requireScope } from '../../server/auth/scopes.js';
import type { Call } from '../../server/rpc/calls.js';
import { type HandlersOf, type RpcService, rpcService } from '../../server/rpc/rpc-service.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Attestation } from '../attestation/attestation.js';
import { type BackboneEngine, type KeptStep, prefixInitRefused } from '../engine/engine.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Protection } from '../protection/protection.js';
import type { TakeRows } from '../tenants/gate.js';
import { parseBackward } from './backward-request.js';
import { parseForward } from './forward-request.js';
import { type BackbonePolicy, modelResponse, protectionOf } from './get-model.js';
import { parseKeyValues } from './key-values-request.js';
import type { SplitLimits } from './limits.js';
import { cotangentDigest, type StepMeter, type StepSize, sizeOf, sizeOfKept, stepMeter, valuesDigest } from './step-meter.js';

/** What the service is over. */
export interface SplitServing {
  readonly engine: BackboneEngine;
  readonly limits: SplitLimits;
  readonly protection: Protection;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What the vendor states beside the artifact. */
  readonly stated: Stated;
  /** Undefined: calls are not charged. */
  readonly ledger: Ledger | undefined;
  /** Counts the rows of a call before they are computed. */
  readonly takeRows?: TakeRows;
  /** Evidence of the running code. */
  readonly attestation: Pick<Attestation, 'evidence'>;
}

/** The split service over one engine, for a server to offer. */
export function splitService(serving: SplitServing): RpcService {
  return rpcService({
    name: SPLIT_SERVICE,
    definition: loadSplitService().service,
    layouts: splitRequestLayouts(serving.limits.maxTokens),
    handlers: splitHandlers(serving, stepMeter(serving.ledger, serving.engine.artifact.digest)),
  });
}

type Stated = Omit<BackbonePolicy, 'prefixInit'>;

/** What the engine uses of a call. */
function engineCall({ principal, signal, deadline, handOver }: Call, now: () => number) {
  return { tenant: principal.tenant, signal, leftMs: () => deadline - now(), handOver };
}

/** The engine's step keys contain the call's tenant: no tenant reaches another tenant's step. */
function splitHandlers(serving: SplitServing, meter: StepMeter): HandlersOf<SplitDefinition> {
  const { engine, limits, protection, now, stated, attestation, takeRows = async () => undefined } = serving;
  const { artifact } = engine;
  const card = modelResponse(artifact, limits, { prefixInit: engine.answersKeyValues, ...stated });
  return {
    GetModel(_request, { principal }) {
      requireScope(principal, 'model:read', 'train', 'infer');
      return { ...card, protection: protectionOf(protection.policyOf(principal.tenant)) };
    },

    GetAttestation({ nonce }, { principal }) {
      requireScope(principal, 'model:read', 'train', 'infer');
      return attestation.evidence(nonce, principal.tenant);
    },

    async Forward(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, ...(request.training ? (['train'] as const) : (['infer', 'train'] as const)));
      engine.requirePlace(principal.tenant);
      const { step, answerDType, rows, ...about } = parseForward(request, artifact, limits);
      outcome.rows = rows;
      await takeRows(call, rows);
      const size = sizeOf(step.inputs);
      const { digest } = size;
      const output = await protection.forward({ ...step, ...about, digest, tenant: principal.tenant }, () =>
        engine.forward({ ...step, digest, ...engineCall(call, now) }),
      );
      const hiddenStates = encodeTensor(output, answerDType, 'hiddenStates of the answer');
      const crossed = { in: [request.hiddenStates, request.softPrompt, request.prefix], out: [hiddenStates] };
      await meter.forward({ tenant: principal.tenant, stepId: step.stepId, ...crossed }, size);
      return { hiddenStates };
    },

    async Backward(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, 'train');
      engine.requirePlace(principal.tenant);
      const { answerDType, ...step } = parseBackward(request, artifact, limits);
      await takeRows(call, step.cotangent.shape[0]!);
      const ofCotangent = valuesDigest(step.cotangent);
      const digest = cotangentDigest(ofCotangent, step.wantHiddenStates);
      outcome.rows = step.cotangent.shape[0]!;
      let size: StepSize | undefined;
      const onStep = (kept: KeptStep): void => {
        size = sizeOfKept(kept);
      };
      const cotangents = await protection.backward({ ...step, digest: ofCotangent, tenant: principal.tenant }, () =>
        engine.backward({ ...step, onStep, ...engineCall(call, now) }),
      );
      const encoded = (value: Tensor<'float32'> | undefined, name: string) => value && encodeTensor(value, answerDType, name);
      const adapterCotangent = encoded(cotangents.adapterCotangent, 'adapterCotangent');
      const hiddenStatesCotangent = encoded(cotangents.hiddenStatesCotangent, 'hiddenStatesCotangent');
      const out = [adapterCotangent, hiddenStatesCotangent];
      // A step with neither has no vjp: nothing was computed.
      if (size !== undefined && out.some((tensor) => tensor !== undefined))
        await meter.backward({ tenant: principal.tenant, stepId: step.stepId, in: [request.cotangent], out }, size, digest);
      return { ...(adapterCotangent && { adapterCotangent }), ...(hiddenStatesCotangent && { hiddenStatesCotangent }) };
    },

    async KeyValues(request, call) {
      const { principal, outcome } = call;
      requireScope(principal, 'train');
      // The policy comes first: a refused request is not checked.
      if (!engine.answersKeyValues) throw prefixInitRefused();
      engine.requirePlace(principal.tenant);
      const { input, answerDType, dtype, rows } = parseKeyValues(request, artifact, limits);
      outcome.rows = rows;
      await takeRows(call, rows);
      const digest = valuesDigest(input.hiddenStates);
      const seen = { method: 'KeyValues', tenant: principal.tenant, dtype, rows: input.hiddenStates, answered: rows } as const;
      const values = await protection.rows(seen, () => engine.keyValues({ ...input, ...engineCall(call, now) }));
      const keyValues = encodeTensor(values, answerDType, 'keyValues');
      await meter.keyValues({ tenant: principal.tenant, in: [request.hiddenStates], out: [keyValues] }, rows, digest);
      return { keyValues };
    },
  };
}
