/**
 * The graphs of methods with a computation of their own: LoRA's merge, P-tuning's encoders, prefix
 * tuning's projection, multitask prompt tuning's product. Every weight is an input, those of
 * prompts and prefixes under its name in PEFT's state dict. P and the encoder's width H are
 * symbolic, so one graph serves every client's choice. A vjp takes the forward's inputs and
 * `<output>Cotangent`, and gives `<input>Cotangent`.
 * @see PEFT 0.21 `tuners/p_tuning`, `tuners/prefix_tuning`, `tuners/multitask_prompt_tuning`;
 *   arXiv:2103.10385, 2101.00190, 2303.02861
 */
import type { MethodGraphName } from '../../artifacts/manifest.js';
import type { DecoderSpec } from '../models/spec.js';
import type { GraphBuilder } from '../onnx/builder.js';
import { multiplyDims, symbol } from '../onnx/dim.js';
import type { Value } from '../onnx/value.js';
import { functionPair, type GraphPair } from './graph-pair.js';

/**
 * LSTM cells in one run of `promptEncoderLstmCells`. A run copies the recurrent weights, so eight
 * cells a run copy them an eighth as often as one cell a run. The graph stays small.
 */
export const LSTM_CELLS = 8;

const P = symbol('P');
const H = symbol('H');
const GATES = multiplyDims(4, H);

/** The parts of a model that these graphs depend on. */
export interface MethodModel {
  readonly spec: Pick<DecoderSpec, 'hiddenSize' | 'numLayers' | 'linearLayout'> & {
    readonly attention: Pick<DecoderSpec['attention'], 'numKvHeads' | 'headDim'>;
  };
}

/** The closed table of {@link MethodGraphName}. */
export const methodGraphs: { readonly [Name in MethodGraphName]: (model: MethodModel) => GraphPair } = {
  loraMerge: compileLoraMerge,
  promptEncoderMlp,
  promptEncoderLstmInput,
  promptEncoderLstmCells,
  promptEncoderLstmHead,
  prefixProjection,
  multitaskPrompt,
};

/**
 * LoRA merged into a linear weight: `merged` = weight + loraScale (loraB loraA), or plus its
 * transpose. Inputs: `weight` in the model's linear layout, `loraA` [r,in], `loraB` [out,r],
 * `loraScale` []. The vjp takes also `mergedCotangent` and gives `loraACotangent`,
 * `loraBCotangent`.
 * @see arXiv:2106.09685 sec. 4.1
 */
export function compileLoraMerge({ spec }: MethodModel): GraphPair {
  const [r, inputs, outputs] = [symbol('R'), symbol('I'), symbol('O')];
  const outIn = spec.linearLayout === 'outIn';
  return functionPair((input, g) => {
    const weight = input('weight', outIn ? [outputs, inputs] : [inputs, outputs], 'frozen');
    const loraA = input('loraA', [r, inputs]);
    const loraB = input('loraB', [outputs, r]);
    const scaled = g.mul(loraA, input('loraScale', [], 'frozen'));
    const product = outIn ? { A: loraB, B: scaled, C: weight } : { A: scaled, B: loraB, C: weight };
    return { merged: g.gemm(product, outIn ? {} : { transA: 1, transB: 1 }) };
  });
}

/**
 * `embedding.weight` [P,d] through Linear, ReLU, Linear, ReLU, Linear -> `prompt` [P,d].
 * `mlp_head.{0,2,4}.weight` are [H,d], [H,H], [d,H], each with its `.bias`.
 */
function promptEncoderMlp({ spec: { hiddenSize: d } }: MethodModel): GraphPair {
  return functionPair((input, g) => {
    const embedding = input('embedding.weight', [P, d]);
    const first = g.relu(linear(g, embedding, input('mlp_head.0.weight', [H, d]), input('mlp_head.0.bias', [H])));
    const second = g.relu(linear(g, first, input('mlp_head.2.weight', [H, H]), input('mlp_head.2.bias', [H])));
    return { prompt: linear(g, second, input('mlp_head.4.weight', [d, H]), input('mlp_head.4.bias', [d])) };
  });
}

/**
 * A layer's input's part of the gates of all its cells, in one product. Inputs: `input` [P,I],
 * `weight_ih` [4H,I], `bias_ih` and `bias_hh` [4H]. Output: `gates` [P,4H]. The same function gives
 * the cotangent of recurrent weights, with each cell's previous hidden state as `input`.
 */
function promptEncoderLstmInput(): GraphPair {
  const I = symbol('I');
  return functionPair((input, g) => {
    const rows = input('input', [P, I]);
    const weight = input('weight_ih', [GATES, I]);
    const bias = g.add(input('bias_ih', [GATES]), input('bias_hh', [GATES]));
    return { gates: linear(g, rows, weight, bias) };
  });
}

/**
 * {@link LSTM_CELLS} cells, in the order in which they run. Inputs: `gates` [8,4H] (the input's
 * part, in torch's order i, f, g, o), `hidden` and `cell` [1,H] before the first cell, `weight_hh`
 * [4H,H]. Outputs: `hiddenStates` [8,H] after each cell, `cellState` [1,H] after the last.
 *     c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) tanh(c')
 * The vjp omits the weight's cotangent: one product over all rows gives it, see
 * `promptEncoderLstmInput`.
 */
function promptEncoderLstmCells(): GraphPair {
  return functionPair((input, g) => {
    const gates = input('gates', [LSTM_CELLS, GATES]);
    let hidden = input('hidden', [1, H]);
    let cell = input('cell', [1, H]);
    const weight = input('weight_hh', [GATES, H], 'frozen');
    const states = g.split(gates, Array<number>(LSTM_CELLS).fill(1), 0).map((row) => {
      const sums = g.gemm({ A: hidden, B: weight, C: row }, { transB: 1 }); // [1, 4H]
      const [i, f, c, o] = g.split(sums, [H, H, H, H], 1) as readonly [Value, Value, Value, Value];
      cell = g.add(g.mul(g.sigmoid(f), cell), g.mul(g.sigmoid(i), g.tanh(c)));
      hidden = g.mul(g.sigmoid(o), g.tanh(cell));
      return hidden;
    });
    return { hiddenStates: g.concat(states, 0), cellState: cell };
  });
}

/**
 * `input` [P,2H], both directions of the last layer, through Linear, ReLU, Linear -> `prompt`
 * [P,d]. `mlp_head.{0,2}.weight` are [2H,2H] and [d,2H].
 */
function promptEncoderLstmHead({ spec: { hiddenSize: d } }: MethodModel): GraphPair {
  const W = symbol('W');
  return functionPair((input, g) => {
    const inner = g.relu(linear(g, input('input', [P, W]), input('mlp_head.0.weight', [W, W]), input('mlp_head.0.bias', [W])));
    return { prompt: linear(g, inner, input('mlp_head.2.weight', [d, W]), input('mlp_head.2.bias', [d])) };
  });
}

/**
 * `embedding.weight` [P,kvHeads*headDim] through Linear, Tanh, Linear -> `prefix`
 * [layers,2,P,kvHeads,headDim]. `transform.{0,2}.weight` are [H,kvHeads*headDim] and
 * [layers*2*kvHeads*headDim,H], each with its `.bias`.
 */
function prefixProjection({ spec: { numLayers, attention } }: MethodModel): GraphPair {
  const { numKvHeads, headDim } = attention;
  const width = numKvHeads * headDim;
  const flatWidth = numLayers * 2 * width;
  return functionPair((input, g) => {
    const embedding = input('embedding.weight', [P, width]);
    const inner = g.tanh(linear(g, embedding, input('transform.0.weight', [H, width]), input('transform.0.bias', [H])));
    const flat = linear(g, inner, input('transform.2.weight', [flatWidth, H]), input('transform.2.bias', [flatWidth])); // [P, layers * 2 * width]
    const byToken = g.reshape(flat, [P, numLayers * 2, numKvHeads, headDim]); // [P, layers * 2, kvHeads, headDim]
    const bySlot = g.transpose(byToken, [1, 0, 2, 3]); // [layers * 2, P, kvHeads, headDim]
    return { prefix: g.reshape(bySlot, [numLayers, 2, P, numKvHeads, headDim]) }; // [layers, 2, P, kvHeads, headDim]
  });
}

/** `embedding.weight` [P,d] ⊙ (`taskCols` [P,r] `taskRows` [r,d]) -> one task's `prompt` [P,d]. */
function multitaskPrompt({ spec: { hiddenSize: d } }: MethodModel): GraphPair {
  const R = symbol('R');
  return functionPair((input, g) => ({
    prompt: g.mul(input('embedding.weight', [P, d]), g.matMul(input('taskCols', [P, R]), input('taskRows', [R, d]))),
  }));
}

/** x Wᵀ + b, as torch's Linear. */
function linear(g: GraphBuilder, x: Value, weight: Value, bias: Value): Value {
  return g.gemm({ A: x, B: weight, C: bias }, { transB: 1 });
}
