/**
 * A small backbone artifact in a directory: residual tanh layers over flat rows, in the three
 * adapter kinds, with a hand-written vjp. It has the interface of a packed backbone and none of its
 * cost: tests measure the runtime and the service.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '../../src/artifacts/digest.js';
import { type BackboneManifest, FORMAT_VERSION, type SpanKind, type StepGraphs } from '../../src/artifacts/manifest.js';
import { type BackboneArtifact, loadBackbone } from '../../src/artifacts/store.js';
import { GraphBuilder } from '../../src/compiler/onnx/builder.js';
import { addDims, multiplyDims, symbol } from '../../src/compiler/onnx/dim.js';
import { encodeModel } from '../../src/compiler/onnx/encoder.js';
import type { Graph } from '../../src/compiler/onnx/graph.js';
import type { Value } from '../../src/compiler/onnx/value.js';
import { f32 } from '../../src/tensor/tensor.js';

/** The backbone's size. */
export interface TinyDims {
  readonly hiddenSize: number;
  readonly numLayers: number;
  /** False leaves out the graph of keys and values. Default true. */
  readonly keyValues?: boolean;
}

const NUM_KV_HEADS = 2;
const WEIGHTS_FILE = 'weights.safetensors';

/** Writes and loads a tiny backbone; the same dims give the same bytes. */
export async function tinyBackbone({ hiddenSize, numLayers, keyValues = true }: TinyDims): Promise<BackboneArtifact> {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-tiny-'));
  const files: { path: string; bytes: number; sha256: string }[] = [];
  const write = (path: string, bytes: Uint8Array): void => {
    writeFileSync(join(dir, path), bytes);
    files.push({ path, bytes: bytes.length, sha256: sha256Hex(bytes) });
  };
  const layerElements = hiddenSize * hiddenSize;
  const weights = Float32Array.from({ length: numLayers * layerElements }, (_, index) => Math.sin(index * 0.7) / Math.sqrt(hiddenSize));
  write(WEIGHTS_FILE, new Uint8Array(weights.buffer));
  const externalData = (name: string) => ({
    location: WEIGHTS_FILE,
    offset: Number(name) * layerElements * 4,
    length: layerElements * 4,
  });
  const entry = (path: string, graph: Graph) => {
    write(path, encodeModel(graph, { externalData }));
    return { file: path, inputs: graph.inputs.map(({ name }) => name), outputs: graph.outputs.map(({ name }) => name) };
  };
  const pair = (kind: SpanKind): StepGraphs => ({
    forward: entry(`forward-${kind}.onnx`, forwardGraph(kind, hiddenSize, numLayers)),
    infer: entry(`infer-${kind}.onnx`, forwardGraph(kind, hiddenSize, numLayers, false)),
    vjp: entry(`vjp-${kind}.onnx`, vjpGraph(kind, hiddenSize, numLayers)),
    residuals: Array.from({ length: numLayers }, (_, layer) => `residual.${layer}`),
  });
  const manifest: BackboneManifest = {
    format: 'cutlayer-backbone',
    formatVersion: FORMAT_VERSION,
    name: 'tiny',
    family: 'llama',
    dtype: 'float32',
    positions: 'promptRowsFirst',
    cut: { bottom: 0, top: 0, numLayers },
    dims: {
      hiddenSize,
      numLayers,
      numHeads: NUM_KV_HEADS,
      numKvHeads: NUM_KV_HEADS,
      headDim: hiddenSize / NUM_KV_HEADS,
      maxPositions: 8192,
    },
    parameters: weights.length,
    weightsFile: WEIGHTS_FILE,
    graphs: {
      none: pair('none'),
      softPrompt: pair('softPrompt'),
      prefix: pair('prefix'),
      ...(keyValues && { keyValues: entry('key-values.onnx', keyValuesGraph(hiddenSize, numLayers)) }),
    },
    files,
  };
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest));
  return loadBackbone(dir);
}

const [B, S, P, N] = [symbol('B'), symbol('S'), symbol('P'), symbol('N')];

/** The inputs and the sizes that both graphs of a kind share. */
function open(kind: SpanKind, hiddenSize: number, numLayers: number) {
  const g = new GraphBuilder();
  const hiddenStates = g.input('hiddenStates', 'float32', [B, S, hiddenSize]);
  const positions = g.input('positions', 'int64', [N]);
  const prefixShape = [numLayers, 2, P, NUM_KV_HEADS, hiddenSize / NUM_KV_HEADS];
  const adapter = kind === 'none' ? undefined : g.input(kind, 'float32', kind === 'softPrompt' ? [P, hiddenSize] : prefixShape);
  const textRows = multiplyDims(B, S);
  const rows = kind === 'softPrompt' ? addDims(P, textRows) : textRows;
  const weight = (layer: number): Value => g.weight(String(layer), 'float32', [hiddenSize, hiddenSize]);
  return { g, hiddenStates, positions, adapter, textRows, rows, weight };
}

/**
 * x_0 = text rows + the sum of the adapter, behind the soft prompt's own rows; x_{l+1} = x_l +
 * tanh(x_l W_l).
 */
function forwardGraph(kind: SpanKind, hiddenSize: number, numLayers: number, withResiduals = true): Graph {
  const { g, hiddenStates, positions, adapter, textRows, weight } = open(kind, hiddenSize, numLayers);
  let x = g.reshape(hiddenStates, [textRows, hiddenSize]);
  if (adapter !== undefined) {
    const shared = kind === 'softPrompt' ? g.reduceSum(adapter, [0]) : g.reshape(g.reduceSum(adapter, [0, 1, 2]), [1, hiddenSize]);
    x = g.add(x, shared);
    if (kind === 'softPrompt') x = g.concat([adapter, x], 0);
  }
  const outputs: Record<string, Value> = {};
  for (let layer = 0; layer < numLayers; layer++) {
    const activation = g.tanh(g.gemm({ A: x, B: weight(layer) }));
    if (withResiduals) outputs[`residual.${layer}`] = activation;
    x = g.add(x, activation);
  }
  return g.build({ outputs: { output: g.gather(x, positions), ...outputs } });
}

/** Every key and value is the token's own row. */
function keyValuesGraph(hiddenSize: number, numLayers: number): Graph {
  const g = new GraphBuilder();
  const heads = g.reshape(g.input('hiddenStates', 'float32', [1, S, hiddenSize]), [1, 1, S, NUM_KV_HEADS, hiddenSize / NUM_KV_HEADS]);
  return g.build({ outputs: { keyValues: g.expand(heads, [numLayers, 2, S, NUM_KV_HEADS, hiddenSize / NUM_KV_HEADS]) } });
}

function vjpGraph(kind: SpanKind, hiddenSize: number, numLayers: number): Graph {
  const { g, hiddenStates, positions, adapter, textRows, rows, weight } = open(kind, hiddenSize, numLayers);
  const cotangent = g.input('cotangent', 'float32', [N, hiddenSize]);
  const zeros = g.expand(g.constant(f32([1, 1], [0])), [rows, hiddenSize]);
  let ct = g.scatterND(zeros, g.unsqueeze(positions, [1]), cotangent);
  for (let layer = numLayers - 1; layer >= 0; layer--) {
    const activation = g.input(`residual.${layer}`, 'float32', [rows, hiddenSize]);
    const slope = g.sub(1, g.mul(activation, activation));
    ct = g.add(ct, g.gemm({ A: g.mul(ct, slope), B: weight(layer) }, { transB: 1 }));
  }
  const inputs = [hiddenStates, ...(adapter === undefined ? [] : [adapter])];
  const [promptCt, textCt] = kind === 'softPrompt' ? g.split(ct, [P, textRows], 0) : [undefined, ct];
  const hiddenStatesCotangent = g.reshape(textCt!, [B, S, hiddenSize]);
  const sum = g.reduceSum(textCt!, [0]);
  if (adapter === undefined) return g.build({ outputs: { hiddenStatesCotangent }, inputs });
  if (promptCt !== undefined) return g.build({ outputs: { softPromptCotangent: g.add(promptCt, sum), hiddenStatesCotangent }, inputs });
  const heads = g.reshape(sum, [1, 1, 1, NUM_KV_HEADS, hiddenSize / NUM_KV_HEADS]);
  return g.build({ outputs: { prefixCotangent: g.expand(heads, adapter.shape), hiddenStatesCotangent }, inputs });
}
