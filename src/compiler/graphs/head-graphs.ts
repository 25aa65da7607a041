/**
 * The parts above the blocks: final norm, LM head, likelihoods, loss, or a classification head.
 * Head, likelihoods and loss have variants by the trained part of the LM head. The frozen table is
 * never copied and has no cotangent.
 */
import type { HeadVariants } from '../../artifacts/manifest.js';
import { vjp } from '../autodiff/vjp.js';
import { DecoderGraph } from '../models/decoder-weights.js';
import { finalNorm } from '../models/norm.js';
import type { ModelDescription } from '../models/registry.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { symbol } from '../onnx/dim.js';
import type { Graph } from '../onnx/graph.js';
import type { Value } from '../onnx/value.js';
import { dims } from './span.js';

/** The variants of head, likelihoods and loss. Trained token rows need a tied head. */
export type HeadVariant = keyof HeadVariants;

export function headVariantsOf({ spec }: ModelDescription): readonly HeadVariant[] {
  return spec.tiedHead ? ['plain', 'lora', 'tokens', 'loraTokens'] : ['plain', 'lora'];
}

const [T, R, C] = [symbol('T'), symbol('R'), symbol('C')];

/** LoRA on the LM head: z += scale (h Aᵀ) Bᵀ. */
interface HeadLora {
  /** [R, d] */
  readonly a: Value;
  /** [V, R] */
  readonly b: Value;
  /** scale (h Aᵀ), [N, R] */
  readonly scaled: Value;
  /** [] */
  readonly scale: Value;
}

/** Rows of a tied table that are trained: column ids[t] of z is h · rows[t]. */
interface TrainedTokens {
  /** int64 [T], without repetition. */
  readonly ids: Value;
  /** [T, d] */
  readonly rows: Value;
}

/** The head as values of a graph, W standing for its table. */
interface Head {
  /** h [N, d] */
  readonly normed: Value;
  /** W [V, d] */
  readonly table: Value;
  readonly lora?: HeadLora;
  readonly tokens?: TrainedTokens;
  /** tanh(z / cap) [N, V], where the family has a softcap. */
  readonly squashed?: Value;
  /** [N, V] */
  readonly logits: Value;
}

/**
 * The head of some rows: z = h W′ᵀ + b + scale (h Aᵀ) Bᵀ. W′ is the table with its trained rows in
 * place, b the bias of heads that have one. The family's logit scale and softcap follow. The scale
 * is in the products, so it costs no pass over [N, V].
 */
function buildHead(decoder: DecoderGraph, variant: HeadVariant, rows: Value): Head {
  const { g, spec } = decoder;
  const d = spec.hiddenSize;
  const alpha = spec.logitScale;
  const normed = finalNorm(decoder, rows);
  const table = decoder.head();
  const bias = spec.headBias === true ? decoder.model('headBias') : undefined; // [V]
  const product = (B: Value, C: Value | undefined): Value =>
    g.gemm({ A: normed, B, C }, { alpha, ...(C !== undefined && { beta: alpha }), transB: 1 });
  let z = product(table, bias); // [N, V]
  let tokens: TrainedTokens | undefined;
  if (variant === 'tokens' || variant === 'loraTokens') {
    tokens = { ids: g.input('tokenIds', 'int64', [T]), rows: g.input('tokenRows', 'float32', [T, d]) };
    const columns = product(tokens.rows, bias && g.gather(bias, tokens.ids)); // [N, T]
    z = g.scatterElements(z, g.expand(g.unsqueeze(tokens.ids, [0]), [dims.N, T]), columns, { axis: 1 });
  }
  let lora: HeadLora | undefined;
  if (variant === 'lora' || variant === 'loraTokens') {
    const a = g.input('loraA', 'float32', [R, d]);
    const b = g.input('loraB', 'float32', [spec.vocabSize, R]);
    const scale = g.input('loraScale', 'float32', []);
    const scaled = g.mul(g.gemm({ A: normed, B: a }, { transB: 1 }), scale); // [N, R]
    lora = { a, b, scale, scaled };
    z = g.gemm({ A: scaled, B: b, C: z }, { alpha, transB: 1 }); // [N, V]
  }
  const parts = { normed, table, ...(lora !== undefined && { lora }), ...(tokens !== undefined && { tokens }) };
  if (spec.logitSoftcap === null) return { ...parts, logits: z };
  const squashed = g.tanh(g.div(z, spec.logitSoftcap));
  return { ...parts, squashed, logits: g.mul(squashed, spec.logitSoftcap) };
}

/** A graph with the input `rows` [N, d]. */
function decoderOfRows(model: ModelDescription) {
  const decoder = new DecoderGraph(model);
  const { g } = decoder;
  return { decoder, g, rows: g.input('rows', 'float32', [dims.N, model.spec.hiddenSize]) };
}

/** `rows` [N,d] and the variant's inputs -> `logits` [N,V]: final norm and LM head. */
export function compileHead(model: ModelDescription, variant: HeadVariant): Graph {
  const { decoder, g, rows } = decoderOfRows(model);
  return g.build({ outputs: { logits: buildHead(decoder, variant, rows).logits } });
}

/**
 * The loss without its weighted sum and cotangents, for evaluation, by the ops of
 * {@link compileLoss}. Inputs: `rows` [N,d], `labels` int64 [N] and the variant's. Outputs: `nll`
 * [N] and `correct` [N]. It saves a pass of exponentials over [N,V] and a product of [N,V] and
 * [V,d]. At GPT-2-small shape that is half the time of compileLoss's graph, as a runtime computes
 * every output.
 */
export function compileLikelihood(model: ModelDescription, variant: HeadVariant): Graph {
  const { decoder, g, rows } = decoderOfRows(model);
  const labels = g.input('labels', 'int64', [dims.N]);
  const { logits } = buildHead(decoder, variant, rows);
  const { nll, correct } = likelihood(g, logits, labels);
  return g.build({ outputs: { nll, correct } });
}

/**
 * The loss of some rows and its cotangents in one run. Inputs: `rows` [N,d], `labels` int64 [N],
 * `weights` [N] and the variant's. Outputs: `loss` [] = sum of weights * nll, `nll` [N], `correct`
 * [N] (1 where the label is the most likely token), `cotangent` [N,d] of `loss`. Also
 * `loraACotangent` [R,d], `loraBCotangent` [V,R], `tokenRowsCotangent` [T,d] of the variant's
 * inputs. For logits y, d nll / dy = softmax(y) - onehot(label). Through softcap and logit scale,
 * the cotangent of z is
 *     z̄ = c ⊙ (G - l ⊙ onehot(label)),  G = softmax(y) ⊙ σ,  c = weights * logitScale,
 * Here σ = 1 - tanh²(z / cap) is the softcap's slope (1 without one) and l the slope at the label.
 * z̄ itself is never computed. For any M [V,k], z̄ M is c ⊙ (G M - l ⊙ M[labels]): a Gemm and a
 * gather of rows. Without a softcap, only the logits, their log-softmax and its exponential are
 * [N,V]. Let h be the normed rows, u = h Aᵀ, and Δ the trained rows minus the table's:
 *     ū = scale z̄ B,  Ā = ūᵀ h,  B̄ = scale z̄ᵀ u,  rows̄ = z̄[:, ids]ᵀ h,  h̄ = z̄ W + z̄[:, ids] Δ + ū A.
 * The norm's vjp leads from h̄ to the rows.
 */
export function compileLoss(model: ModelDescription, variant: HeadVariant): Graph {
  const { spec } = model;
  const { decoder, g, rows } = decoderOfRows(model);
  const { labels, weights } = targetInputs(g);
  const head = buildHead(decoder, variant, rows);
  const { normed, table, lora, tokens, squashed } = head;
  const { nll, correct, loss, logProbabilities } = crossEntropy(g, head.logits, labels, weights);

  const column = (value: Value): Value => g.unsqueeze(value, [1]); // [N, 1]
  const slope = (squash: Value): Value => g.sub(1, g.mul(squash, squash));
  const probabilities = g.exp(logProbabilities);
  const G = squashed === undefined ? probabilities : g.mul(probabilities, slope(squashed)); // [N, V]
  const labelSlope = squashed === undefined ? undefined : slope(g.gatherElements(squashed, column(labels), 1)); // [N, 1]
  const atLabel = (value: Value): Value => (labelSlope === undefined ? value : g.mul(labelSlope, value));
  const c = column(spec.logitScale === 1 ? weights : g.mul(weights, spec.logitScale));
  /** z̄ M, [N, k] for M [V, k]. */
  const through = (M: Value): Value => g.mul(c, g.sub(g.gemm({ A: G, B: M }), atLabel(g.gather(M, labels))));

  let normedCotangent = through(table); // [N, d]
  const outputs: Record<string, Value> = {};
  if (tokens !== undefined) {
    const isLabel = g.cast(g.equal(column(labels), g.unsqueeze(tokens.ids, [0])), 'float32'); // [N, T]
    const columns = g.mul(c, g.sub(g.gather(G, tokens.ids, 1), atLabel(isLabel))); // z̄[:, ids], [N, T]
    const delta = g.sub(tokens.rows, g.gather(table, tokens.ids)); // [T, d]
    normedCotangent = g.add(normedCotangent, g.gemm({ A: columns, B: delta }));
    outputs.tokenRowsCotangent = g.gemm({ A: columns, B: normed }, { transA: 1 });
  }
  if (lora !== undefined) {
    const downCotangent = g.mul(through(lora.b), lora.scale); // ū [N, R]
    const up = g.mul(c, lora.scaled); // c ⊙ scale u, [N, R]
    const labelRows = g.expand(column(labels), [dims.N, R]); // labels repeat: ScatterElements adds them up one after the other
    normedCotangent = g.add(normedCotangent, g.gemm({ A: downCotangent, B: lora.a }));
    outputs.loraACotangent = g.gemm({ A: downCotangent, B: normed }, { transA: 1 });
    outputs.loraBCotangent = g.scatterElements(g.gemm({ A: G, B: up }, { transA: 1 }), labelRows, g.neg(atLabel(up)), {
      axis: 0,
      reduction: 'add',
    });
  }
  const [cotangent] = vjp(g, { outputs: [normed], cotangents: [normedCotangent], wrt: [rows] });
  return g.build({ outputs: { loss, nll, correct, cotangent: cotangent!, ...outputs } });
}

/** `rows` [N,d], `classifierWeight` [C,d] -> `logits` [N,C]; no logit scale, softcap or bias. */
export function compileClassifier(model: ModelDescription): Graph {
  const { g, logits } = classifier(model);
  return g.build({ outputs: { logits } });
}

/**
 * The loss of a classification head, as {@link compileLoss}. Inputs: `rows` [N,d],
 * `classifierWeight` [C,d], `labels` int64 [N], `weights` [N]. Outputs: `loss`, `nll`, `correct`,
 * `cotangent` [N,d] and `classifierWeightCotangent` [C,d].
 */
export function compileClassifierLoss(model: ModelDescription): Graph {
  const { g, rows, weight, logits } = classifier(model);
  const { labels, weights } = targetInputs(g);
  const { loss, nll, correct } = crossEntropy(g, logits, labels, weights);
  const [cotangent, weightCotangent] = vjp(g, { outputs: [loss], cotangents: [g.scalar(1)], wrt: [rows, weight] });
  return g.build({ outputs: { loss, nll, correct, cotangent: cotangent!, classifierWeightCotangent: weightCotangent! } });
}

function classifier(model: ModelDescription) {
  const { decoder, g, rows } = decoderOfRows(model);
  const weight = g.input('classifierWeight', 'float32', [C, model.spec.hiddenSize]);
  const normed = finalNorm(decoder, rows);
  return { g, rows, weight, logits: g.gemm({ A: normed, B: weight }, { transB: 1 }) };
}

function targetInputs(g: GraphBuilder): { readonly labels: Value; readonly weights: Value } {
  return { labels: g.input('labels', 'int64', [dims.N]), weights: g.input('weights', 'float32', [dims.N]) };
}

/** The likelihoods and the weighted sum of their negative logarithms. @param logits [N, classes] */
function crossEntropy(g: GraphBuilder, logits: Value, labels: Value, weights: Value) {
  const rows = likelihood(g, logits, labels);
  return { ...rows, loss: g.reduceSum(g.mul(weights, rows.nll), [0], 0) };
}

/** Per row: nll of its label, and whether it is most likely. @param logits [N, classes] */
function likelihood(g: GraphBuilder, logits: Value, labels: Value) {
  const logProbabilities = g.logSoftmax(logits);
  const nll = g.neg(g.squeeze(g.gatherElements(logProbabilities, g.unsqueeze(labels, [1]), 1), [1])); // [N]
  const correct = g.cast(g.equal(g.argMax(logits, 1, 0), labels), 'float32');
  return { logProbabilities, nll, correct };
}
