/**
 * Keys and values of real tokens, from which a prefix may be initialized instead of from noise.
 * Each graph runs a span on one sequence from position 0 and gives what each block would cache.
 * Keys are after normalization and rope, as a prefix holds them.
 * @see arXiv:2101.00190 sec. 4.3: a prefix that begins from real activations
 */
import type { Cut } from '../../artifacts/manifest.js';
import { blocks } from '../models/decoder.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { addLearnedPositions } from '../models/embedding.js';
import type { ModelDescription } from '../models/registry.js';
import { type RowLayout, rowPositions } from '../models/rows.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { type Spans, spansOf } from './cut.js';
import { addsPositions, dims, parts } from './span.js';

/**
 * A span's keys and values. Input: `hiddenStates` [1,S,d], or the bottom's `inputsEmbeds` [1,S,d].
 * Output: `keyValues` [layers,2,S,numKvHeads,headDim], the layout of a prefix.
 */
export function compileKeyValues(model: ModelDescription, cut: Cut, part: keyof Spans): Graph {
  const decoder = new DecoderGraph(model);
  const { g } = decoder;
  const { S } = dims;
  const { hiddenSize, attention } = model.spec;
  const [first, end] = spansOf(cut)[part];
  const sequence = g.input(parts[part].hiddenStates, 'float32', [1, S, hiddenSize]);
  const layout: RowLayout = { batch: 1, sequence: S, virtualTokens: 0, promptRows: 0 };
  const text = g.reshape(sequence, [S, hiddenSize]); // [S, d]
  const learned = addsPositions(model.spec, part);
  const rows = learned ? addLearnedPositions(decoder, text, rowPositions(g, layout, g.scalar(0, 'int64'))) : text;
  const cached: Value[] = [];
  const row = (value: Value): Value => g.reshape(value, [1, S, attention.numKvHeads, attention.headDim]); // [1, S, kv, headDim]
  blocks(decoder, layout, rows, { first, end, onKeyValue: (_, { key, value }) => cached.push(row(key), row(value)) });
  const stacked = g.concat(cached, 0); // [2 * layers, S, kv, headDim]
  const keyValues = g.reshape(stacked, [end - first, 2, S, attention.numKvHeads, attention.headDim]); // [layers, 2, S, kv, headDim]
  return g.build({ outputs: { keyValues }, inputs: [sequence] });
}
