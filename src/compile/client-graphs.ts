/**
 * The client's graphs: embedding, bottom, top, head and loss. Their vjps are self-contained: they take the forward's inputs and compute
 * again what they need, so a client keeps no residuals.
 */
import type { AdapterKind, Cut } from '../artifacts/manifest.js';
import { vjp } from '../autodiff/vjp.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { embedTokens } from '../models/embedding.js';
import { finalNorm } from '../models/norm.js';
import type { ModelDescription } from '../models/registry.js';
import { GraphBuilder } from '../onnx/builder.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { spansOf } from './cut.js';
import { buildSpan, dims, partedRows, type Span } from './span.js';

/** A function and its vjp. */
export interface GraphPair {
  readonly forward: Graph;
  readonly vjp: Graph;
}

/** `tokenIds` int64 [B,S] -> `inputsEmbeds` [B,S,d]: token embeddings without positions. */
export function compileEmbed(model: ModelDescription): Graph {
  const g = new GraphBuilder();
  const tokenIds = g.input('tokenIds', 'int64', [dims.B, dims.S]);
  return g.build({ outputs: { inputsEmbeds: embedTokens(new DecoderGraph(g, model.spec, model.weights), tokenIds) } });
}

/** `rows` [N,d] -> `logits` [N,V]: final norm and LM head. */
export function compileHead(model: ModelDescription): Graph {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights);
  const rows = g.input('rows', 'float32', [dims.N, model.spec.hiddenSize]);
  return g.build({ outputs: { logits: g.gemm({ A: finalNorm(decoder, rows), B: decoder.head() }, { transB: 1 }) } });
}

/**
 * The loss of some rows and its cotangent in one run. `rows` [N,d], `labels` int64 [N], `weights` [N] ->
 * `loss` [] = sum of weights * nll, `nll` [N], `correct` [N] (1 where the label is the most likely token), `cotangent` [N,d] of `loss`.
 *
 * With z = h Wᵀ the logits of the normed rows h, d nll / dz = softmax(z) - onehot(label). So the cotangent of h is
 * diag(weights) (softmax(z) W - W[labels]): one more Gemm and a look-up of rows of W, and no [N,V] array beyond the logits, their
 * log-softmax and its exponential. From h back to the rows it is the norm's vjp.
 */
export function compileLoss(model: ModelDescription): Graph {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights);
  const rows = g.input('rows', 'float32', [dims.N, model.spec.hiddenSize]);
  const labels = g.input('labels', 'int64', [dims.N]);
  const weights = g.input('weights', 'float32', [dims.N]);
  const normed = finalNorm(decoder, rows);
  const table = decoder.head();
  const logits = g.gemm({ A: normed, B: table }, { transB: 1 }); // [N, V]
  const logProbabilities = g.logSoftmax(logits);
  const nll = g.neg(g.squeeze(g.gatherElements(logProbabilities, g.unsqueeze(labels, [1]), 1), [1])); // [N]
  const expected = g.gemm({ A: g.exp(logProbabilities), B: table }); // [N, d]: softmax(z) W
  const normedCotangent = g.mul(g.unsqueeze(weights, [1]), g.sub(expected, g.gather(table, labels))); // [N, d]
  const [cotangent] = vjp(g, { outputs: [normed], cotangents: [normedCotangent], wrt: [rows] });
  const correct = g.cast(g.equal(g.argMax(logits, 1, 0), labels), 'float32');
  return g.build({ outputs: { loss: g.reduceSum(g.mul(weights, nll), [0], 0), nll, correct, cotangent: cotangent! } });
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
export function compileBottom(model: ModelDescription, cut: Cut, kind: AdapterKind): GraphPair {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights);
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
    vjp: buildVjp(g, span, Object.values(outputs), cotangents, { adapter: `${kind}Cotangent`, hiddenStates: 'inputsEmbedsCotangent' }),
  };
}

/**
 * The client's top, for m > 0. `hiddenStates` [B,S,d], `softPromptHidden` [P,d] or `prefix` [m,2,P,numKvHeads,headDim], `positions` int64 [N] -> `rows` [N,d].
 * The vjp takes also `rowsCotangent` and gives `hiddenStatesCotangent` and `softPromptHiddenCotangent` or `prefixCotangent`.
 */
export function compileTop(model: ModelDescription, cut: Cut, kind: AdapterKind): GraphPair {
  const g = new GraphBuilder();
  const decoder = new DecoderGraph(g, model.spec, model.weights);
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
    vjp: buildVjp(g, span, [rows], [cotangent], { adapter, hiddenStates: 'hiddenStatesCotangent' }),
  };
}

function buildVjp(
  g: GraphBuilder,
  span: Span,
  outputs: readonly Value[],
  cotangents: readonly Value[],
  names: { readonly adapter: string; readonly hiddenStates: string },
): Graph {
  const wrt = span.adapter === undefined ? [span.hiddenStates] : [span.hiddenStates, span.adapter];
  const [hiddenStates, adapter] = vjp(g, { outputs, cotangents, wrt });
  return g.build({ outputs: { [names.hiddenStates]: hiddenStates!, ...(adapter !== undefined && { [names.adapter]: adapter }) } });
}
