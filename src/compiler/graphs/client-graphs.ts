/**
 * The client's graphs below the head: embedding, bottom and top. Their vjps take the forward's
 * inputs and recompute, so a client keeps no residuals. Each span is compiled twice: frozen, and
 * with its block weights as inputs under their names. The second vjp also gives `<name>Cotangent`
 * of each weight, for clients that train their blocks.
 */
import type { Cut, SpanKind } from '../../artifacts/manifest.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { embedTokens } from '../models/embedding.js';
import type { ModelDescription } from '../models/registry.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { blockWeights, spansOf } from './cut.js';
import { type GraphPair, graphPair } from './graph-pair.js';
import { buildSpan, dims, partedRows, type Span, type SpanPlan } from './span.js';

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
  return cut.bottom > 0 || model.spec.position.kind === 'learned';
}

/**
 * The client's bottom. Inputs: `inputsEmbeds` [B,S,d] and `softPrompt` [P,d] or `prefix`
 * [k,2,P,numKvHeads,headDim]. A prefix at k = 0 is replaced by `numVirtualTokens` int64 [].
 * Outputs: `hiddenStates` [B,S,d] and, with a soft prompt, `softPromptHidden` [P,d]. The vjp also
 * takes `hiddenStatesCotangent` and `softPromptHiddenCotangent`. It gives `inputsEmbedsCotangent`
 * and `softPromptCotangent` or `prefixCotangent`.
 */
export function compileBottom(model: ModelDescription, cut: Cut, kind: SpanKind, weights: SpanWeights = 'frozen'): GraphPair {
  const plan: SpanPlan = {
    span: spansOf(cut).bottom,
    kind,
    addPositions: model.spec.position.kind === 'learned',
    wantedOnly: false,
    inputNames: { hiddenStates: 'inputsEmbeds', softPrompt: 'softPrompt' },
  };
  return spanPair(model, plan, weights, (decoder, span) => {
    const { prompt, text } = partedRows(decoder, span);
    return { hiddenStates: text, ...(prompt && { softPromptHidden: prompt }) };
  });
}

/**
 * The client's top, for m > 0. Inputs: `hiddenStates` [B,S,d]; `softPromptHidden` [P,d] or `prefix`
 * [m,2,P,numKvHeads,headDim]; `positions` int64 [N]. Output: `rows` [N,d]. The vjp also takes
 * `rowsCotangent`. It gives `hiddenStatesCotangent` and `softPromptHiddenCotangent` or
 * `prefixCotangent`.
 */
export function compileTop(model: ModelDescription, cut: Cut, kind: SpanKind, weights: SpanWeights = 'frozen'): GraphPair {
  const plan: SpanPlan = {
    span: spansOf(cut).top,
    kind,
    addPositions: false,
    wantedOnly: true,
    inputNames: { hiddenStates: 'hiddenStates', softPrompt: 'softPromptHidden' },
  };
  return spanPair(model, plan, weights, (_, { rows }) => ({ rows }));
}

function spanPair(
  model: ModelDescription,
  plan: SpanPlan,
  weights: SpanWeights,
  outputsOf: (decoder: DecoderGraph, span: Span) => Readonly<Record<string, Value>>,
): GraphPair {
  const decoder = new DecoderGraph(model, weights);
  const { g } = decoder;
  const span = buildSpan(decoder, plan);
  const { hiddenStates, softPrompt } = plan.inputNames;
  const trained = weights === 'inputs' ? blockWeights(model.weights, plan.span) : [];
  return graphPair(g, outputsOf(decoder, span), {
    [hiddenStates]: span.hiddenStates,
    ...(span.adapter && { [plan.kind === 'softPrompt' ? softPrompt : plan.kind]: span.adapter }),
    ...Object.fromEntries(trained.map(({ name, shape }) => [name, g.input(name, 'float32', shape)])),
  });
}
