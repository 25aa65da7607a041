/** Normalization of rows. */
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';

/**
 * The spec's normalization over the last axis, with learned scale (and bias, for layer norm).
 * @param x [rows, hiddenSize]
 * @returns [rows, hiddenSize]
 */
export function normalize({ g, spec: { norm } }: DecoderGraph, x: Value, weight: Value, bias: () => Value): Value {
  const { epsilon } = norm;
  switch (norm.kind) {
    case 'layerNorm':
      return g.layerNormalization({ X: x, Scale: weight, B: bias() }, { epsilon });
    case 'rmsNorm':
      return g.simplifiedLayerNormalization({ X: x, scale: weight }, { epsilon });
  }
}

/** The normalization before the head. */
export function finalNorm(decoder: DecoderGraph, rows: Value): Value {
  return decoder.g.scoped('finalNorm', () => normalize(decoder, rows, decoder.model('finalNorm'), () => decoder.model('finalNormBias')));
}
