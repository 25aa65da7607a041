/**
 * The client's graphs below the head: embedding, bottom and top. Their vjps take the forward's
 * inputs and recompute, so a client keeps no residuals. Each span is compiled twice: frozen, and
 * with its block weights as inputs under their names. The second vjp also gives `<name>Cotangent`
 * of each weight, for clients that train their blocks. As the backbone's, these graphs take packed
 * rows [R,d] with `rowOfSlot` [B,S] and `slotOfRow` [R]; without `packedRows`, [B,S,d] instead.
 */
import type { Cut, SpanKind } from '../../artifacts/manifest.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { embedTokens } from '../models/embedding.js';
import type { Optimizations } from '../models/optimizations.js';
import type { ModelDescription } from '../models/registry.js';
import type { Weight } from '../models/weights.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { blockWeights, spansOf } from './cut.js';
import { type GraphPair, graphPair } from './graph-pair.js';
import { addsPositions, buildSpan, dims, partedRows, type Span } from './span.js';

/** Whether the block weights of a span are in the bundle or are fed. */
export type SpanWeights = 'frozen' | 'inputs';

/** `tokenIds` int64 [B,S] -> `inputsEmbeds` [B,S,d]: token embeddings without positions. */
export function compileEmbed(model: ModelDescription): Graph {
  const decoder = new DecoderGraph(model);
  const tokenIds = decoder.g.input('tokenIds', 'int64', [dims.B, dims.S]);
  return decoder.g.build({ outputs: { inputsEmbeds: embedTokens(decoder, tokenIds) } });
}

/** Whether a client needs bottom graphs; without blocks or learned positions it is the identity. */
export function hasBottom(model: ModelDescription, cut: Cut): boolean {
  return cut.bottom > 0 || addsPositions(model.spec, 'bottom');
}

/**
 * The client's bottom. Inputs: `inputsEmbeds` [R,d] and `softPrompt` [P,d] or `prefix`
 * [k,2,P,numKvHeads,headDim]. A prefix at k = 0 is replaced by `numVirtualTokens` int64 [].
 * Outputs: `hiddenStates` [R,d] and, with a soft prompt, `softPromptHidden` [P,d]. The vjp also
 * takes `hiddenStatesCotangent` and `softPromptHiddenCotangent`. It gives `inputsEmbedsCotangent`
 * and `softPromptCotangent` or `prefixCotangent`.
 */
export function compileBottom(
  model: ModelDescription,
  cut: Cut,
  kind: SpanKind,
  weights: SpanWeights = 'frozen',
  optimizations?: Optimizations,
): GraphPair {
  const decoder = new DecoderGraph(model, weights, optimizations);
  const span = buildSpan(decoder, cut, 'bottom', kind, decoder.optimizations.packedRows);
  const { prompt, text } = partedRows(decoder, span);
  return spanPair(decoder, span, trainedWeights(model, spansOf(cut).bottom, weights), {
    hiddenStates: text,
    ...(prompt && { softPromptHidden: prompt }),
  });
}

/**
 * The client's top, for m > 0. Inputs: `hiddenStates` [R,d]; `softPromptHidden` [P,d] or `prefix`
 * [m,2,P,numKvHeads,headDim]; `positions` int64 [N]. Output: `rows` [N,d]. The vjp also takes
 * `rowsCotangent`. It gives `hiddenStatesCotangent` and `softPromptHiddenCotangent` or
 * `prefixCotangent`.
 */
export function compileTop(
  model: ModelDescription,
  cut: Cut,
  kind: SpanKind,
  weights: SpanWeights = 'frozen',
  optimizations?: Optimizations,
): GraphPair {
  const decoder = new DecoderGraph(model, weights, optimizations);
  const span = buildSpan(decoder, cut, 'top', kind, decoder.optimizations.packedRows);
  return spanPair(decoder, span, trainedWeights(model, spansOf(cut).top, weights), { rows: span.rows });
}

/** The weights of a span's blocks, where they are inputs. */
function trainedWeights({ weights: table }: ModelDescription, span: readonly [number, number], weights: SpanWeights): readonly Weight[] {
  return weights === 'inputs' ? blockWeights(table, span) : [];
}

function spanPair({ g }: DecoderGraph, { wrt }: Span, trained: readonly Weight[], outputs: Readonly<Record<string, Value>>): GraphPair {
  const inputs = trained.map(({ name, shape }): [string, Value] => [name, g.input(name, 'float32', shape)]);
  return graphPair(g, outputs, { ...wrt, ...Object.fromEntries(inputs) });
}
