/** Scores of queries against keys, and the mask of the keys that a query does not see. */
import { f32 } from '../../tensor/tensor.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { addDims, type Dim } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import type { DecoderGraph } from './decoder-weights.js';

/** Added to scores of later keys: exp of it is 0, and it is finite, so nothing becomes NaN. */
export const AHEAD = -1e30;

/**
 * The scores of queries against keys: scaled, and capped if the spec has a cap.
 * @param queries [..., Q, headDim]
 * @param keys [..., K, headDim]
 * @returns [..., Q, K]
 */
export function scoresOf({ g, spec }: DecoderGraph, queries: Value, keys: Value): Value {
  const { scale, softcap } = spec.attention;
  if (softcap === null) return g.fusedMatMul(queries, keys, { alpha: scale, transB: 1 });
  return g.mul(g.tanh(g.fusedMatMul(queries, keys, { alpha: scale / softcap, transB: 1 })), softcap);
}

/**
 * Added to the scores of `rows` queries: 0 up to the query's own key, then {@link AHEAD}. The first
 * query's own key is `own`, the next one's the key after it. With a window, keys `window` or more
 * behind the query also get {@link AHEAD}.
 * @param first the first of the keys that there are scores of
 * @returns [rows, own + rows - first]
 */
export function causalMask(g: GraphBuilder, rows: Dim, own: Dim, window: number | null, first: Dim = 0): Value {
  const end = addDims(own, rows);
  const keys = g.range(first, end); // [own + rows - first]
  const last = g.unsqueeze(g.range(own, end), [1]); // [rows, 1]: the last key that each query sees
  const unseen = g.constant(f32([], [AHEAD]));
  const upToOwn = g.where(g.lessOrEqual(keys, last), g.constant(f32([], [0])), unseen);
  return window === null ? upToOwn : g.where(g.less(g.sub(last, window), keys), upToOwn, unseen);
}
