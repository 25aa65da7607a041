import assert from 'node:assert/strict';
import { addProximal } from '../../../clients/typescript/optimizers/proximal.js';
import { CutlayerError } from '../../../src/errors.js';

describe('proximal term of FedProx', () => {
  it('adds mu (w - w0) to the gradient of each parameter', () => {
    const gradients = [Float32Array.of(1, -1), Float32Array.of(0.5)];
    addProximal(gradients, [Float32Array.of(2, 3), Float32Array.of(-4)], { mu: 0.5, center: [Float32Array.of(1, 5), Float32Array.of(-4)] });
    assert.deepEqual(gradients, [Float32Array.of(1.5, -2), Float32Array.of(0.5)]);
  });

  it('refuses a centre of other parameters', () => {
    assert.throws(
      () => addProximal([new Float32Array(2)], [new Float32Array(2)], { mu: 1, center: [new Float32Array(3)] }),
      (error) =>
        error instanceof CutlayerError && error.code === 'INVALID_SHAPE' && /expected 2 values for parameter 0, got 3/.test(error.message),
    );
  });
});
