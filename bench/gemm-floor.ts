/**
 * The floor of a backbone's time: only its GEMMs, at the same shapes and over the same weights
 * file. Forward runs each weight once; with `vjp` each weight runs again, transposed. With
 * `attention`, the products of attention (scores, values, and their cotangents) run too.
 *
 * Every layer starts from the graph's inputs and every product is scaled, so numbers stay near 1.
 * A long chain of products would end in denormals, which are slow.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder } from '../src/compiler/onnx/builder.js';
import { symbol } from '../src/compiler/onnx/dim.js';
import { encodeModel } from '../src/compiler/onnx/encoder.js';
import type { Value } from '../src/compiler/onnx/value.js';
import type { SafetensorsHeader } from '../src/safetensors/header.js';
import { externalWeights } from './external-weights.js';

/** Sizes of the backbone. */
export interface Dims {
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly headDim: number;
}

/** How the family stores a linear layer: `inOut` is GPT-2's Conv1D; other families are `outIn`. */
export type WeightLayout = 'inOut' | 'outIn';

/** Which floor. */
export interface FloorOptions {
  readonly dims: Dims;
  readonly layout: WeightLayout;
  readonly vjp: boolean;
  readonly attention: boolean;
  /** Every product is an output, to look at; else one small number of all. */
  readonly results?: boolean;
}

/** The deviation of the weights that a checkpoint of the benchmark has. */
const WEIGHT_DEVIATION = 0.02;

/**
 * Writes the floor's graph beside the weights. Inputs `rows` [R, hiddenSize] and, with attention,
 * `queries` [B, numHeads, S, headDim], `keys` and `values` [B, numHeads, T, headDim], all with
 * numbers near 1.
 * @returns the graph's file name
 */
export function writeGemmFloor(dir: string, weightsFile: string, header: SafetensorsHeader, options: FloorOptions): string {
  const { vjp, attention, results = false } = options;
  const g = new GraphBuilder();
  const rows = weightProducts(g, header, options);
  const heads = attention ? attentionProducts(g, options) : [];
  const outputs = results
    ? Object.fromEntries([...rows, ...heads].map((value, at) => [`product.${at}`, value]))
    : { sink: sumOfCorners(g, rows), ...(attention ? { attentionSink: sumOfCorners(g, heads) } : {}) };
  const file = `gemm-floor-${vjp ? 'forward-vjp' : 'forward'}${attention ? '-attention' : ''}${results ? '-results' : ''}.onnx`;
  const externalData = externalWeights(weightsFile, header);
  writeFileSync(join(dir, file), encodeModel(g.build({ outputs }), { externalData }));
  return file;
}

/** x W for every matrix, and with `vjp` (x W) Wᵀ. Wider inputs are the product before them. */
function weightProducts(g: GraphBuilder, header: SafetensorsHeader, { dims, layout, vjp }: FloorOptions): readonly Value[] {
  const inputs = new Map<number, Value>([[dims.hiddenSize, g.input('rows', 'float32', [symbol('R'), dims.hiddenSize])]]);
  const products: Value[] = [];
  for (const [name, { shape }] of header.tensors) {
    if (shape.length !== 2) continue;
    const [inputWidth, outputWidth] = layout === 'inOut' ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
    const x = inputs.get(inputWidth);
    if (x === undefined) throw new Error(`floor: no product of width ${inputWidth} comes before the weight ${name}`);
    const W = g.weight(name, 'float32', shape);
    const transposed = layout === 'inOut' ? 0 : 1;
    const y = g.gemm({ A: x, B: W }, { transB: transposed, alpha: steady(inputWidth) }); // [R, outputWidth]
    products.push(y);
    if (vjp) products.push(g.gemm({ A: y, B: W }, { transB: 1 - transposed, alpha: steady(outputWidth) })); // [R, inputWidth]
    if (outputWidth !== dims.hiddenSize) inputs.set(outputWidth, y);
  }
  return products;
}

/** Keeps numbers near 1 through a product with the checkpoint's weights. */
const steady = (width: number): number => 1 / (WEIGHT_DEVIATION * Math.sqrt(width));

/** Attention's products, by layer: scores and values; with `vjp` also their four cotangents. */
function attentionProducts(g: GraphBuilder, { dims: { numLayers, numHeads, headDim }, vjp }: FloorOptions): readonly Value[] {
  const [B, S, T] = [symbol('B'), symbol('S'), symbol('T')];
  const queries = g.input('queries', 'float32', [B, numHeads, S, headDim]);
  const keys = g.input('keys', 'float32', [B, numHeads, T, headDim]);
  const values = g.input('values', 'float32', [B, numHeads, T, headDim]);
  const products: Value[] = [];
  for (let layer = 0; layer < numLayers; layer++) {
    // For operands that are uniform in [-1, 1). Each layer has its own: equal products would be
    // computed once.
    const scale = (3 * (1 + layer / 64)) / Math.sqrt(headDim);
    const scores = g.fusedMatMul(queries, keys, { transB: 1, alpha: scale }); // [B, numHeads, S, T]
    const mixed = g.fusedMatMul(scores, values, { alpha: OVER_ROWS }); // [B, numHeads, S, headDim]
    products.push(scores, mixed);
    if (!vjp) continue;
    // The mixed values stand in for their own cotangent.
    const scoresCotangent = g.fusedMatMul(mixed, values, { transB: 1, alpha: scale }); // [B, numHeads, S, T]
    products.push(
      scoresCotangent,
      g.fusedMatMul(scores, mixed, { transA: 1, alpha: OVER_ROWS }), // values: [B, numHeads, T, headDim]
      g.fusedMatMul(scoresCotangent, keys, { alpha: OVER_ROWS }), // queries: [B, numHeads, S, headDim]
      g.fusedMatMul(scoresCotangent, queries, { transA: 1, alpha: OVER_ROWS }), // keys: [B, numHeads, T, headDim]
    );
  }
  return products;
}

/** The scale of a product over a few hundred rows. */
const OVER_ROWS = 1 / 16;

/** One number that needs every product, at the cost of none: the sum of their first elements. */
function sumOfCorners(g: GraphBuilder, products: readonly Value[]): Value {
  const corner = (data: Value): Value => {
    const axes = data.shape.map((_, axis) => axis);
    const [starts, ends] = [g.ints(axes.map(() => 0)), g.ints(axes.map(() => 1))];
    return g.reshape(g.apply('Slice', { data, starts, ends, axes: g.ints(axes) }), [1]);
  };
  return products.map(corner).reduce((sum, value) => g.add(sum, value));
}
