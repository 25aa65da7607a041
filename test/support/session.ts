/** Runs a graph through ONNX Runtime, as the product does. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { type EncodeOptions, encodeModel } from '../../src/compiler/onnx/encoder.js';
import type { Graph } from '../../src/compiler/onnx/graph.js';
import { type Tensor, type TensorDType, tensor } from '../../src/tensor/tensor.js';

/** Tensors by the name of a graph's input or output. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A loaded graph, which may be run with many feeds. */
export interface LoadedGraph {
  readonly run: (feeds: Tensors) => Promise<Tensors>;
  readonly release: () => Promise<void>;
}

/** Encodes and loads a graph. */
export async function load(graph: Graph, options?: EncodeOptions): Promise<LoadedGraph> {
  const session = await InferenceSession.create(encodeModel(graph, options), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return {
    run: (feeds) => runSession(session, feeds),
    release: () => session.release(),
  };
}

/** Feeds a session the inputs that it declares and returns all its outputs. */
export async function runSession(session: InferenceSession, feeds: Tensors): Promise<Tensors> {
  const inputs = Object.fromEntries(
    session.inputNames.map((name) => {
      const fed = feeds[name];
      if (fed === undefined) throw new Error(`test: no feed for graph input "${name}"`);
      return [name, new OrtTensor(fed.dtype, fed.data, [...fed.shape])];
    }),
  );
  const outputs = await session.run(inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, fromOrt(value)]));
}

/** Encodes, loads, runs once and releases. */
export async function run(graph: Graph, feeds: Tensors = {}, options?: EncodeOptions): Promise<Tensors> {
  const loaded = await load(graph, options);
  try {
    return await loaded.run(feeds);
  } finally {
    await loaded.release();
  }
}

function fromOrt({ type, dims, data }: OrtTensor): Tensor {
  if (type === 'bool') return tensor('int32', dims, Int32Array.from(data as Uint8Array));
  // The element types that tests fetch are those of Tensor, whose arrays are the ones that ONNX
  // Runtime returns.
  return tensor(type as TensorDType, dims, data as Float32Array);
}
