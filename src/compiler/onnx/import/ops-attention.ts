/**
 * `Attention` and `RotaryEmbedding` of opset 23 as products, softmax and rotations.
 * @see https://onnx.ai/onnx/operators/onnx__Attention.html
 * @see https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html
 */

import type { GraphBuilder } from '../builder.js';
import { type Dim, dimsEqual, dimText, divideDims, multiplyDims } from '../dim.js';
import type { Value } from '../value.js';
import type { NodeContext, Translators } from './context.js';

/** Value of masked scores: the least float32, so that softmax gives 0. */
const MASKED = -3.4028234663852886e38;

/** [B, S, heads * size] as [B, heads, S, size]; a value of rank 4 has that layout already. */
function headsApart(c: NodeContext, value: Value, attribute: string): Value {
  if (value.shape.length === 4) return value;
  const heads = c.int(attribute);
  const [batch, sequence, width] = value.shape;
  const size = width === undefined ? undefined : divideDims(width, heads);
  if (value.shape.length !== 3 || size === undefined) throw c.fail(`${attribute} ${heads} does not divide the last dimension`);
  return c.g.transpose(c.g.reshape(value, [batch!, sequence!, heads, size]), [0, 2, 1, 3]);
}

/** Repeats each key or value head for every query head of its group. */
function repeatHeads(c: NodeContext, value: Value, queryHeads: Dim): Value {
  const [batch, heads, sequence, size] = value.shape as readonly [Dim, Dim, Dim, Dim];
  if (dimsEqual(heads, queryHeads)) return value;
  const group = divideDims(queryHeads, heads);
  if (group === undefined) throw c.fail(`${dimText(heads)} key/value heads do not divide ${dimText(queryHeads)} query heads`);
  const repeated = c.g.expand(c.g.unsqueeze(value, [2]), [batch, heads, group, sequence, size]);
  return c.g.reshape(repeated, [batch, queryHeads, sequence, size]);
}

/** Whether query row i may see key row j: j ≤ i. */
function causalMask(g: GraphBuilder, rows: Dim, columns: Dim): Value {
  return g.lessOrEqual(g.unsqueeze(g.range(0, columns), [0]), g.unsqueeze(g.range(0, rows), [1])); // [rows, columns]
}

function attention(c: NodeContext): readonly Value[] {
  const { g } = c;
  for (const at of [4, 5]) if (c.optional(at) !== undefined) throw c.unsupported('past keys and values are not known');
  if (c.float('softcap', 0) !== 0) throw c.unsupported('a softcap is not known');
  const flat = c.input(0).shape.length === 3;
  const query = headsApart(c, c.input(0), 'q_num_heads');
  const [batch, queryHeads, rows, size] = query.shape as readonly [Dim, Dim, Dim, Dim];
  if (typeof size !== 'number') throw c.fail('the size of a head must be constant');
  const key = repeatHeads(c, headsApart(c, c.input(1), 'kv_num_heads'), queryHeads);
  const value = repeatHeads(c, headsApart(c, c.input(2), 'kv_num_heads'), queryHeads);
  const alpha = c.float('scale', 1 / Math.sqrt(size));
  let scores = g.fusedMatMul(query, key, { transB: 1, alpha }); // [B, heads, rows, columns]
  const mask = c.optional(3);
  if (mask !== undefined)
    scores = mask.dtype === 'bool' ? g.add(scores, g.where(mask, 0, g.scalar(MASKED, scores.dtype))) : g.add(scores, mask);
  if (c.int('is_causal', 0) !== 0)
    scores = g.add(scores, g.where(causalMask(g, rows, key.shape[2]!), g.scalar(0, scores.dtype), g.scalar(MASKED, scores.dtype)));
  const mixed = g.matMul(g.softmax(scores), value); // [B, heads, rows, size]
  const width = multiplyDims(queryHeads, value.shape[3]!);
  return [flat ? g.reshape(g.transpose(mixed, [0, 2, 1, 3]), [batch, rows, width]) : mixed];
}

/** x1 cos − x2 sin and x1 sin + x2 cos on the two halves, or on neighbours if interleaved. */
function rotaryEmbedding(c: NodeContext): readonly Value[] {
  const { g } = c;
  const input = c.input(0);
  const flat = input.shape.length === 3;
  const heads = flat ? c.int('num_heads') : 0;
  const x = flat ? input : g.transpose(input, [0, 2, 1, 3]); // [B, S, heads, size], or flat [B, S, heads * size]
  const [batch, sequence] = x.shape as readonly [Dim, Dim];
  const size = flat ? divideDims(x.shape[2]!, heads) : x.shape[3];
  if (typeof size !== 'number') throw c.fail('the size of a head must be constant, and num_heads must divide a flat input');
  const apart = flat ? g.reshape(x, [batch, sequence, heads, size]) : x;
  const rotated = c.int('rotary_embedding_dim', 0) || size;
  if (rotated > size || rotated % 2 !== 0) throw c.fail(`rotary_embedding_dim: expected an even number up to ${size}, got ${rotated}`);
  const half = rotated / 2;
  const positions = c.optional(3);
  const angle = (at: number): Value => {
    const cache = c.input(at);
    return g.unsqueeze(positions === undefined ? cache : g.gather(cache, positions), [2]); // [B, S, 1, half]
  };
  const [cos, sin] = [angle(1), angle(2)];
  const part = rotated === size ? apart : g.slice(apart, 3, 0, rotated);
  const interleaved = c.int('interleaved', 0) !== 0;
  const pairs = g.reshape(part, [...part.shape.slice(0, 3), ...(interleaved ? [half, 2] : [2, half])]);
  const axis = interleaved ? 4 : 3;
  const [x1, x2] = g.split(pairs, [1, 1], axis).map((one) => g.squeeze(one, [axis])) as [Value, Value]; // [B, S, heads, half]
  const real = g.sub(g.mul(x1, cos), g.mul(x2, sin));
  const imaginary = g.add(g.mul(x1, sin), g.mul(x2, cos));
  const joined = g.reshape(g.concat([g.unsqueeze(real, [axis]), g.unsqueeze(imaginary, [axis])], axis), part.shape);
  const whole = rotated === size ? joined : g.concat([joined, g.slice(apart, 3, rotated, size)], 3);
  return [flat ? g.reshape(whole, input.shape) : g.transpose(whole, [0, 2, 1, 3])];
}

export const attentionOps: Translators = { Attention: attention, RotaryEmbedding: rotaryEmbedding };
