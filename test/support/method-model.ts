/** The graphs of methods, compiled and run without a checkpoint, and a small random embedding. */
import type { AdapterDims, Feeds, FloatFeeds } from '../../clients/typescript/adapters/adapter.js';
import type { AdapterModel } from '../../clients/typescript/adapters/context.js';
import type { GraphPair } from '../../src/compiler/graphs/graph-pair.js';
import { methodGraphs } from '../../src/compiler/graphs/method-graphs.js';
import type { Graph } from '../../src/compiler/onnx/graph.js';
import { f32 } from '../../src/tensor/tensor.js';
import { type LoadedGraph, load } from './session.js';

/** A model of the given dims. */
export class MethodModel implements AdapterModel {
  readonly dims: AdapterDims;
  readonly promptScale: number;
  readonly vocabSize = 50;
  readonly family = 'llama';
  readonly identity = { backboneDigest: 'a'.repeat(64), tokenizerDigest: undefined };
  readonly embedScale = 1;
  readonly modules = { embedTokens: 'model.embed_tokens', head: 'lm_head' };
  readonly tiedHead = false;
  readonly linearLayout = 'outIn';
  readonly blockWeights = [];
  /** Runs of each graph so far, by name. */
  readonly runs = new Map<string, number>();
  readonly #graphs: Readonly<Record<string, GraphPair>>;
  readonly #loaded = new Map<Graph, Promise<LoadedGraph>>();

  constructor(dims: AdapterDims, promptScale = 1) {
    this.dims = dims;
    this.promptScale = promptScale;
    const { hiddenSize, bottom, backbone, top } = dims;
    const model = { spec: { hiddenSize, numLayers: bottom + backbone + top, attention: dims, linearLayout: this.linearLayout } } as const;
    this.#graphs = Object.fromEntries(Object.entries(methodGraphs).map(([name, compile]) => [name, compile(model)]));
  }

  encode(text: string): readonly number[] {
    return [...text].map((letter) => letter.charCodeAt(0) % this.vocabSize);
  }

  async embed(tokenIds: readonly number[]) {
    const d = this.dims.hiddenSize;
    return f32(
      [tokenIds.length, d],
      tokenIds.flatMap((id) => Array.from({ length: d }, (_, at) => Math.sin(1 + id * d + at) / 10)),
    );
  }

  weight(name: string): Promise<never> {
    return Promise.reject(new Error(`test: no weight ${name}`));
  }

  runMethod(name: string, feeds: Feeds): Promise<FloatFeeds> {
    return this.#run(name, 'forward', feeds);
  }

  runMethodVjp(name: string, feeds: Feeds): Promise<FloatFeeds> {
    return this.#run(name, 'vjp', feeds);
  }

  async close(): Promise<void> {
    for (const loaded of this.#loaded.values()) await (await loaded).release();
  }

  async #run(name: string, part: keyof GraphPair, feeds: Feeds): Promise<FloatFeeds> {
    const graph = this.#graphs[name]?.[part];
    if (graph === undefined) throw new Error(`test: no graph ${name}`);
    const loaded = this.#loaded.get(graph) ?? load(graph);
    this.#loaded.set(graph, loaded);
    this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
    // The graphs compute in float32 throughout.
    return (await loaded).run(feeds) as Promise<FloatFeeds>;
  }
}
