/**
 * The floor of a backbone's time: only its weight GEMMs, at the same shapes and over the same
 * weights file. They are chained so that none can be dropped. Forward runs each weight once; with
 * `vjp` each weight runs again, transposed. With `attention`, the products of attention (scores,
 * values, and their cotangents) run too, once each.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder } from '../src/compiler/onnx/builder.js';
import { symbol } from '../src/compiler/onnx/dim.js';
import { encodeModel } from '../src/compiler/onnx/encoder.js';
import type { Value } from '../src/compiler/onnx/value.js';
import type { SafetensorsHeader } from '../src/safetensors/header.js';

/** Sizes of the backbone. */
export interface Dims {
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly headDim: number;
}

/** How the family stores a linear layer: `inOut` is GPT-2's Conv1D; other families are `outIn`. */
export type WeightLayout = 'inOut' | 'outIn';

/**
 * Writes the floor's graph beside the weights. Inputs `rows` [R, hiddenSize] and, with attention,
 * `queries` [B, numHeads, S, headDim], `keys` and `values` [B, numHeads, T, headDim].
 * @returns the graph's file name
 */
export function writeGemmFloor(
  dir: string,
  weightsFile: string,
  header: SafetensorsHeader,
  options: { readonly dims: Dims; readonly layout: WeightLayout; readonly vjp: boolean; readonly attention: boolean },
): string {
  const { dims, layout, vjp, attention } = options;
  const { hiddenSize } = dims;
  const g = new GraphBuilder();
  const matrices = [...header.tensors].filter(([, info]) => info.shape.length === 2);
  const widths = new Set(matrices.map(([, { shape }]) => (layout === 'inOut' ? shape[0]! : shape[1]!)));
  const current = new Map<number, Value>([[hiddenSize, g.input('rows', 'float32', [symbol('R'), hiddenSize])]]);
  const sinks: Value[] = [];
  const used = new Set<Value>();
  for (const [name, { shape }] of matrices) {
    const [inputWidth, outputWidth] = layout === 'inOut' ? [shape[0]!, shape[1]!] : [shape[1]!, shape[0]!];
    const W = g.weight(name, 'float32', shape);
    const x = current.get(inputWidth)!;
    used.add(x);
    const y = g.gemm({ A: x, B: W }, { transB: layout === 'inOut' ? 0 : 1, alpha: steady(inputWidth) }); // [R, outputWidth]
    if (vjp) {
      current.set(inputWidth, g.gemm({ A: y, B: W }, { transB: layout === 'inOut' ? 1 : 0, alpha: steady(outputWidth) })); // [R, inputWidth]
      if (widths.has(outputWidth) && !current.has(outputWidth)) current.set(outputWidth, y);
    } else if (widths.has(outputWidth)) {
      const waiting = current.get(outputWidth);
      if (waiting !== undefined && !used.has(waiting)) sinks.push(g.reduceMax(waiting, [1])); // Llama's gate, beside its up
      current.set(outputWidth, y);
    } else if (outputWidth > hiddenSize) current.set(hiddenSize, g.slice(y, 1, 0, hiddenSize));
    else sinks.push(g.reduceMax(y, [1]));
  }
  for (const [width, value] of current) if (width !== hiddenSize) sinks.push(g.reduceMax(value, [1]));
  const sink = sinks.reduce((sum, value) => g.add(sum, value), current.get(hiddenSize)!);
  const file = `gemm-floor-${vjp ? 'forward-vjp' : 'forward'}${attention ? '-attention' : ''}.onnx`;
  const outputs = attention ? { sink, attentionSink: attentionProducts(g, dims, vjp) } : { sink };
  const bytes = encodeModel(g.build({ outputs }), {
    externalData: (weight) => {
      const info = header.tensors.get(weight)!;
      return { location: weightsFile, offset: info.offset, length: info.bytes };
    },
  });
  writeFileSync(join(dir, file), bytes);
  return file;
}

/** Keeps numbers near 1 through a product with weights of N(0, 0.02²): denormals are slow. */
const steady = (width: number): number => 1 / (0.02 * Math.sqrt(width));

/** Attention's products, by layer: scores and values; with `vjp` also their four cotangents. */
function attentionProducts(g: GraphBuilder, { numLayers, numHeads, headDim }: Dims, vjp: boolean): Value {
  const [B, S, T] = [symbol('B'), symbol('S'), symbol('T')];
  const alpha = 1 / 64; // keeps the numbers small
  let queries = g.input('queries', 'float32', [B, numHeads, S, headDim]);
  let keys = g.input('keys', 'float32', [B, numHeads, T, headDim]);
  let values = g.input('values', 'float32', [B, numHeads, T, headDim]);
  for (let layer = 0; layer < numLayers; layer++) {
    const scores = g.fusedMatMul(queries, keys, { transB: 1, alpha }); // [B, numHeads, S, T]
    const mixed = g.fusedMatMul(scores, values, { alpha }); // [B, numHeads, S, headDim]
    if (vjp) {
      const scoresCotangent = g.fusedMatMul(mixed, values, { transB: 1, alpha }); // [B, numHeads, S, T]
      values = g.fusedMatMul(scores, mixed, { transA: 1, alpha }); // [B, numHeads, T, headDim]
      const queriesCotangent = g.fusedMatMul(scoresCotangent, keys, { alpha }); // [B, numHeads, S, headDim]
      keys = g.fusedMatMul(scoresCotangent, queries, { transA: 1, alpha }); // [B, numHeads, T, headDim]
      queries = queriesCotangent;
    } else queries = mixed;
  }
  const sinks = vjp ? [queries, keys, values] : [queries];
  return sinks.map((value) => g.reduceMax(value, [2])).reduce((sum, value) => g.add(sum, value));
}
