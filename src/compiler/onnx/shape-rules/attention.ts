/** The shape rule of fused attention, in the form without keys from before. */
import { shapesEqual, shapeText } from '../dim.js';
import { expectDim, type ShapeRules, sameDType } from './context.js';

export const attentionShapes = {
  GroupQueryAttention: (c) => {
    const { query, key, value, past_key, past_value, seqlens_k, total_sequence_length, num_heads, kv_num_heads, invalid } = c;
    const dtype = sameDType({ query, key, value }, invalid);
    sameDType({ seqlens_k, total_sequence_length }, invalid);
    if (past_key !== undefined || past_value !== undefined) throw invalid('keys from before are not supported');
    const [batch, rows, width] = query.shape;
    if (batch === undefined || rows === undefined || typeof width !== 'number' || query.shape.length !== 3 || width % num_heads !== 0)
      throw invalid(`query: expected [batch, rows, ${num_heads} * headDim], got ${shapeText(query.shape)}`);
    const headDim = width / num_heads;
    const wanted = [batch, rows, kv_num_heads * headDim];
    for (const [name, { shape }] of Object.entries({ key, value })) {
      if (!shapesEqual(shape, wanted)) throw invalid(`${name}: expected ${shapeText(wanted)}, got ${shapeText(shape)}`);
    }
    expectDim(batch, seqlens_k.shape[0] ?? 1, 'seqlens_k, one of each sequence', invalid);
    const present = { dtype, shape: [batch, kv_num_heads, rows, headDim] };
    return [{ dtype, shape: query.shape }, present, present];
  },
} satisfies Partial<ShapeRules>;
