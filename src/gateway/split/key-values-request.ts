/** Parses a KeyValuesRequest; everything is checked before the tensor is decoded. */
import type { BackboneArtifact } from '../../artifacts/store.js';
import { CutlayerError } from '../../errors.js';
import type { KeyValuesRequest__Output } from '../../protocol/wire/generated/cutlayer/v1/KeyValuesRequest.js';
import { checkTensor, decodeTensor, type ExpectedTensor } from '../../protocol/wire/tensor-codec.js';
import type { WireDType } from '../../protocol/wire/wire-dtype.js';
import type { KeyValuesInput } from '../engine/engine.js';
import { stepShapes } from '../engine/step-inputs.js';
import { answerDType, checkDigest, checkLimit } from './fields.js';
import type { SplitLimits } from './limits.js';

/** A checked request for keys and values. */
export interface ParsedKeyValues {
  readonly input: Pick<KeyValuesInput, 'hiddenStates'>;
  readonly answerDType: WireDType;
  /** Of the hidden states. */
  readonly dtype: WireDType;
  /** Rows that go through the backbone. */
  readonly rows: number;
}

/**
 * Checks and decodes a request for keys and values. Its tokens count as virtual ones, since the
 * answer is a prefix.
 * @throws CutlayerError INVALID_ARGUMENT, INVALID_DTYPE, INVALID_SHAPE, LIMIT_EXCEEDED, NON_FINITE,
 *   BACKBONE_MISMATCH
 */
export function parseKeyValues(request: KeyValuesRequest__Output, backbone: BackboneArtifact, limits: SplitLimits): ParsedKeyValues {
  const { dims } = backbone.manifest;
  checkDigest(request.backboneDigest, backbone.digest);
  const expected: ExpectedTensor = { name: 'hiddenStates', shape: stepShapes.hiddenStates(dims) };
  const { shape, dtype } = checkTensor(request.hiddenStates, expected);
  const [batch, sequence] = shape as readonly [number, number, number];
  if (batch !== 1)
    throw new CutlayerError('INVALID_SHAPE', `hiddenStates: expected one sequence [1, *, ${dims.hiddenSize}], got [${shape.join(', ')}]`, {
      details: { field: 'hiddenStates' },
    });
  checkLimit('hiddenStates sequence (it becomes virtual tokens)', sequence, limits.maxVirtualTokens);
  checkLimit('hiddenStates sequence', sequence, dims.maxPositions);
  checkLimit('rows (batch * sequence)', sequence, limits.maxTokens);
  return {
    input: { hiddenStates: decodeTensor(request.hiddenStates, expected) },
    answerDType: answerDType(request.responseDtype, dtype),
    dtype,
    rows: sequence,
  };
}
