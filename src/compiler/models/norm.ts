/** Normalization of rows. */
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';

/**
 * The spec's normalization over the last axis, with learned scale (and bias, for layer norm).
 * @param x [..., size]
 * @param weight [size]
 * @returns [..., size]
 */
export function normalize({ g, spec: { norm } }: DecoderGraph, x: Value, weight: Value, bias?: () => Value): Value {
  const { epsilon, weightOffset } = norm;
  const scale = weightOffset === 0 ? weight : g.add(weight, weightOffset);
  switch (norm.kind) {
    case 'layerNorm':
      return g.layerNormalization({ X: x, Scale: scale, B: bias?.() }, { epsilon });
    case 'rmsNorm':
      return g.simplifiedLayerNormalization({ X: x, scale }, { epsilon });
  }
}

/** The normalization before the head, unless the backbone has applied it. */
export function finalNorm(decoder: DecoderGraph, rows: Value): Value {
  if (decoder.spec.normedBelow === true) return rows;
  return decoder.g.scoped('finalNorm', () => normalize(decoder, rows, decoder.model('finalNorm'), () => decoder.model('finalNormBias')));
}
