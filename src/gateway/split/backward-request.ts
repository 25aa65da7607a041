/** Parses a BackwardRequest; the engine checks that the cotangent has a row per answered row. */
import type { BackboneArtifact } from '../../artifacts/store.js';
import type { BackwardRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import { checkTensor, decodeTensor, type ExpectedTensor } from '../../protocol/wire/tensor-codec.js';
import type { WireDType } from '../../protocol/wire/wire-dtype.js';
import type { Tensor } from '../../tensor/tensor.js';
import { stepShapes } from '../engine/step-inputs.js';
import { answerDType, checkLimit, checkStepId } from './fields.js';
import type { SplitLimits } from './limits.js';

/** A checked backward and how to answer it. */
export interface ParsedBackward {
  readonly stepId: string;
  /** [positions, hiddenSize] */
  readonly cotangent: Tensor<'float32'>;
  readonly wantHiddenStates: boolean;
  readonly answerDType: WireDType;
}

/**
 * Checks and decodes a backward.
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE
 */
export function parseBackward(request: BackwardRequest__Output, backbone: BackboneArtifact, limits: SplitLimits): ParsedBackward {
  const stepId = checkStepId(request.stepId);
  const expected: ExpectedTensor = { name: 'cotangent', shape: stepShapes.cotangent(backbone.manifest.dims) };
  const { dtype, shape } = checkTensor(request.cotangent, expected);
  checkLimit('cotangent rows', shape[0]!, limits.maxTokens);
  return {
    stepId,
    cotangent: decodeTensor(request.cotangent, expected),
    wantHiddenStates: request.wantHiddenStates,
    answerDType: answerDType(request.responseDtype, dtype),
  };
}
