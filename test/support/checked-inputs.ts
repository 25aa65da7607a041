/** Inputs of a step that come without a request: what the service's parser checks of requests. */
import type { BackboneManifest, Dims } from '../../src/artifacts/manifest.js';
import { stepGraphsOf } from '../../src/artifacts/step-graphs.js';
import { CutlayerError } from '../../src/errors.js';
import { type CheckedInputs, type StepInputs, stepShapes, virtualTokensOf } from '../../src/gateway/engine/step-inputs.js';
import { expectShape } from '../../src/tensor/shape.js';
import { elementCount, type Tensor } from '../../src/tensor/tensor.js';

/**
 * Checks every shape and index of a step that came without a request. It does not check that the
 * values are finite.
 * @throws CutlayerError ADAPTER_UNSUPPORTED, INVALID_SHAPE, INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function checkInputs(inputs: StepInputs, manifest: BackboneManifest): CheckedInputs {
  const { hiddenStates, adapter, positions } = inputs;
  const { dims } = manifest;
  stepGraphsOf(manifest, adapter.kind);
  expectTensor('hiddenStates', hiddenStates, dims);
  if (adapter.kind !== 'none') expectTensor(adapter.kind, adapter.value, dims);
  const [batch, sequence] = hiddenStates.shape as readonly [number, number, number];
  const virtualTokens = adapter.kind === 'none' ? 0 : virtualTokensOf(adapter.kind, adapter.value.shape);
  if (virtualTokens + sequence > dims.maxPositions) {
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `hiddenStates: ${virtualTokens} virtual + ${sequence} text tokens, the model has ${dims.maxPositions} positions; send shorter sequences`,
    );
  }
  const rows = (adapter.kind === 'softPrompt' ? virtualTokens : 0) + batch * sequence;
  if (positions.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'positions: expected at least one row index, got none');
  let previous = -1n;
  for (const position of positions) {
    if (position <= previous || position >= BigInt(rows)) {
      throw new CutlayerError(
        'INVALID_ARGUMENT',
        `positions: expected increasing row indexes below ${rows}, got ${position} after ${previous}`,
      );
    }
    previous = position;
  }
  // The checks above are what the brand states.
  return inputs as CheckedInputs;
}

function expectTensor(name: keyof typeof stepShapes, { shape, data }: Tensor, dims: Dims): void {
  expectShape(name, shape, stepShapes[name](dims));
  if (elementCount(shape) !== data.length)
    throw new CutlayerError('INVALID_SHAPE', `${name}: expected ${elementCount(shape)} elements, got ${data.length} elements`);
}
