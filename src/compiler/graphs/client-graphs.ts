/**
 * The client's graphs below the head: embedding, bottom and top. Their vjps are self-contained: they take the forward's inputs and compute
 * again what they need, so a client keeps no residuals. A span is compiled frozen, and once more with its block weights as inputs under their
 * names, its vjp then giving `<name>Cotangent` of each: for clients that train the blocks they hold.
 */
import type { AdapterKind, Cut } from '../../artifacts/manifest.js';
import { vjp } from '../autodiff/vjp.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { embedTokens } from '../models/embedding.js';
import type { ModelDescription } from '../models/registry.js';
import type { Weight } from '../models/weights.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { blockWeights, spansOf } from './cut.js';
import { buildSpan, dims, partedRows, type Span } from './span.js';

/** A function and its vjp. */
export interface GraphPair {
  readonly forward: Graph;
  readonly vjp: Graph;
}

/** Whether the block weights of a span lie in the bundle or are fed. */
export type SpanWeights = 'frozen' | 'inputs';

/** `tokenIds` int64 [B,S] -> `inputsEmbeds` [B,S,d]: token embeddings without positions. */
export function compileEmbed(model: ModelDescription): Graph {
  const g = new GraphBuilder();
  const tokenIds = g.input('tokenIds', 'int64', [dims.B, dims.S]);
  return g.build({ outputs: { inputsEmbeds: embedTokens(new DecoderGraph(g, model.spec, model.weights), tokenIds) } });
}

/** Whether a client needs bottom graphs: blocks, or learned positions to add. Without them the bottom is the identity. */
export function hasBottom(model: ModelDescription, cut: Cut): boolean {
  return cut.bottom > 0 || model.spec.position.kind === 'learned';
}

/**
 * The client's bottom. `inputsEmbeds` [B,S,d] and `softPrompt` [P,d], `prefix` [k,2,P,numKvHeads,headDim] or (a prefix at k = 0) `numVirtualTokens` int64 [] ->
 * `hiddenStates` [B,S,d] and, with a soft prompt, `softPromptHidden` [P,d]. The vjp takes also `hiddenStatesCotangent`, `softPromptHiddenCotangent` and gives
 * `inputsEmbedsCotangent` and `softPromptCotangent` or `prefixCotangent`.
 */
export function compileBottom(model: ModelDescription, cut: Cut, kind: AdapterKind, weights: SpanWeights = 'frozen'): GraphPair {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights, weights);
  const span = buildSpan(decoder, {
    span: spansOf(cut).bottom,
    kind,
    addPositions: model.spec.position.kind === 'learned',
    wantedOnly: false,
    inputNames: { hiddenStates: 'inputsEmbeds', softPrompt: 'softPrompt' },
  });
  const { prompt, text } = partedRows(decoder, span);
  const outputs = { hiddenStates: text, ...(prompt !== undefined && { softPromptHidden: prompt }) };
  const cotangents = Object.entries(outputs).map(([name, value]) => g.input(`${name}Cotangent`, 'float32', value.shape));
  return {
    forward: g.build({ outputs }),
    vjp: buildVjp(g, span, Object.values(outputs), cotangents, {
      adapter: `${kind}Cotangent`,
      hiddenStates: 'inputsEmbedsCotangent',
      weights: trainedWeights(model, spansOf(cut).bottom, weights),
    }),
  };
}

/**
 * The client's top, for m > 0. `hiddenStates` [B,S,d], `softPromptHidden` [P,d] or `prefix` [m,2,P,numKvHeads,headDim], `positions` int64 [N] -> `rows` [N,d].
 * The vjp takes also `rowsCotangent` and gives `hiddenStatesCotangent` and `softPromptHiddenCotangent` or `prefixCotangent`.
 */
export function compileTop(model: ModelDescription, cut: Cut, kind: AdapterKind, weights: SpanWeights = 'frozen'): GraphPair {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights, weights);
  const span = buildSpan(decoder, {
    span: spansOf(cut).top,
    kind,
    addPositions: false,
    wantedOnly: true,
    inputNames: { hiddenStates: 'hiddenStates', softPrompt: 'softPromptHidden' },
  });
  const { rows } = span;
  const cotangent = g.input('rowsCotangent', 'float32', rows.shape);
  const adapter = kind === 'softPrompt' ? 'softPromptHiddenCotangent' : 'prefixCotangent';
  return {
    forward: g.build({ outputs: { rows } }),
    vjp: buildVjp(g, span, [rows], [cotangent], {
      adapter,
      hiddenStates: 'hiddenStatesCotangent',
      weights: trainedWeights(model, spansOf(cut).top, weights),
    }),
  };
}

/** The weights whose cotangents a span's vjp gives. */
function trainedWeights({ weights }: ModelDescription, span: readonly [number, number], which: SpanWeights): readonly Weight[] {
  return which === 'inputs' ? blockWeights(weights, span) : [];
}

function buildVjp(
  g: GraphBuilder,
  span: Span,
  outputs: readonly Value[],
  cotangents: readonly Value[],
  names: { readonly adapter: string; readonly hiddenStates: string; readonly weights: readonly Weight[] },
): Graph {
  const wrt: [string, Value][] = [[names.hiddenStates, span.hiddenStates]];
  if (span.adapter !== undefined) wrt.push([names.adapter, span.adapter]);
  for (const { name, shape } of names.weights) wrt.push([`${name}Cotangent`, g.input(name, 'float32', shape)]);
  const found = vjp(g, { outputs, cotangents, wrt: wrt.map(([, value]) => value) });
  return g.build({ outputs: Object.fromEntries(wrt.map(([name], at) => [name, found[at]!])) });
}
