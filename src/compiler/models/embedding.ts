/** Embeddings: rows of the token table, and learned positions where the family has them. */
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';

/**
 * Embedded tokens, scaled as the family scales them.
 * @param tokenIds int64 [B, S]
 * @returns [B, S, hiddenSize]
 */
export function embedTokens(decoder: DecoderGraph, tokenIds: Value): Value {
  const { g, spec } = decoder;
  const rows = g.gather(decoder.model('embedTokens'), tokenIds);
  return spec.embedScale === 1 ? rows : g.mul(rows, spec.embedScale);
}

/**
 * Rows with their learned position embedding added.
 * @param rows [R, hiddenSize]
 * @param positions int64 [R]
 */
export function addLearnedPositions(decoder: DecoderGraph, rows: Value, positions: Value): Value {
  return decoder.g.add(rows, decoder.g.gather(decoder.model('embedPositions'), positions));
}
