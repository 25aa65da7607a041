/** The client's half of the model: tokenizer, embedding, bottom, top, head and loss, run from the bundle's graphs off the main thread. */

import { clientGraphEntries, frozenGraphEntries, type GraphEntry } from '../../src/artifacts/manifest.js';
import { type ClientBundle as BundleArtifact, loadClientBundle } from '../../src/artifacts/store.js';
import { CutlayerError } from '../../src/errors.js';
import { openGraphs } from '../../src/runtime/graphs.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import type { AdapterDims, AdapterKind, Feeds } from './adapters/adapter.js';
import type { EmbeddingSource } from './adapters/soft-prompt.js';
import { TextTokenizer } from './data/text-tokenizer.js';
import type { BundleIdentity } from './model-card.js';
import { retrying } from './retry.js';

/** The worker threads that run a bundle's graphs. */
type GraphPool = Awaited<ReturnType<typeof openGraphs>>;

/** The two spans that the client holds. */
export type ClientSpan = 'bottom' | 'top';

/** How a bundle is opened. */
export interface OpenBundleOptions {
  /** Worker threads that run graphs. Default 1. */
  readonly workers?: number;
  /** Threads of each worker. Default: the machine's cores, divided among the workers. */
  readonly threads?: number;
  /** False skips the digest of the weights file. Default true. */
  readonly verify?: boolean;
}

/** What `loss` gives for some rows. */
export interface RowLosses {
  /** [rows], of each row's label; unweighted. */
  readonly nll: Float32Array;
  /** [rows], 1 where the most probable token is the label. */
  readonly correct: Float32Array;
  /** [rows, d], of the weighted sum; absent unless asked for. */
  readonly cotangent?: Float32Array;
}

/** An open client bundle. */
export class ClientBundle implements EmbeddingSource {
  readonly dir: string;
  readonly manifest: BundleArtifact['manifest'];
  readonly dims: AdapterDims;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #graphs: GraphPool;

  private constructor(artifact: BundleArtifact, tokenizer: TextTokenizer | undefined, graphs: GraphPool) {
    this.dir = artifact.dir;
    this.manifest = artifact.manifest;
    this.#tokenizer = tokenizer;
    this.#graphs = graphs;
    const { dims, cut } = artifact.manifest;
    this.dims = { ...dims, bottom: cut.bottom, backbone: dims.numLayers, top: cut.top };
  }

  /** Opens and checks a bundle. @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, DIGEST_MISMATCH */
  static async open(dir: string, options: OpenBundleOptions = {}): Promise<ClientBundle> {
    const artifact = await loadClientBundle(dir, { verify: options.verify ?? true });
    const { manifest } = artifact;
    const tokenizer = manifest.tokenizerFiles.length === 0 ? undefined : await TextTokenizer.load(artifact.dir, manifest);
    const graphs = await openGraphs(
      { dir: artifact.dir, weightsFile: manifest.weightsFile, graphs: clientGraphEntries(manifest.graphs).map(({ file }) => file) },
      {
        warm: frozenGraphEntries(manifest.graphs).map(({ file }) => file),
        workers: options.workers ?? 1,
        ...(options.threads === undefined ? {} : { threads: options.threads }),
      },
    );
    return new ClientBundle(artifact, tokenizer, graphs);
  }

  /** @throws CutlayerError NOT_FOUND when the checkpoint came without one: token ids still work. */
  get tokenizer(): TextTokenizer {
    if (this.#tokenizer !== undefined) return this.#tokenizer;
    throw new CutlayerError('NOT_FOUND', `${this.dir}: the bundle has no tokenizer; pack a checkpoint that has tokenizer.json`);
  }

  get vocabSize(): number {
    return this.manifest.vocabSize;
  }

  /** For the check against the gateway's model card. */
  get identity(): BundleIdentity {
    const { backboneDigest, dims, cut } = this.manifest;
    return { dir: this.dir, backboneDigest, dims, cut };
  }

  encode(text: string): readonly number[] {
    return this.tokenizer.encode(text);
  }

  async embed(tokenIds: readonly number[]): Promise<Tensor<'float32'>> {
    const ids = BigInt64Array.from(tokenIds, BigInt);
    const { data } = await this.inputsEmbeds(tensor('int64', [1, ids.length], ids));
    return tensor('float32', [ids.length, this.dims.hiddenSize], data);
  }

  /** @param tokenIds int64 [batch, sequence] @returns [batch, sequence, hiddenSize] */
  async inputsEmbeds(tokenIds: Tensor<'int64'>, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    return this.#single(this.manifest.graphs.embed, { tokenIds }, signal);
  }

  /** Whether a span has graphs; without them it is the identity. */
  has(span: ClientSpan): boolean {
    return this.manifest.graphs[span] !== undefined;
  }

  /** Runs a span forward. Inputs that its graph does not take are left out. */
  spanForward(span: ClientSpan, kind: AdapterKind | 'none', feeds: Feeds, signal?: AbortSignal): Promise<Feeds> {
    return this.#run(this.#span(span, kind).forward, feeds, signal);
  }

  /** Runs a span's vjp: its inputs and the cotangents of its outputs in, the cotangents of its inputs out. */
  spanVjp(span: ClientSpan, kind: AdapterKind | 'none', feeds: Feeds, signal?: AbortSignal): Promise<Feeds> {
    return this.#run(this.#span(span, kind).vjp, feeds, signal);
  }

  /** Whether a span's vjp needs the cotangent of its hidden states. */
  vjpTakes(span: ClientSpan, kind: AdapterKind | 'none', input: string): boolean {
    return this.has(span) && this.#span(span, kind).vjp.inputs.includes(input);
  }

  /** @param rows [N, d] @returns logits [N, vocabSize] */
  logits(rows: Tensor<'float32'>, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    return this.#single(this.manifest.graphs.head.plain, { rows }, signal);
  }

  /** Negative log likelihoods of labels, and the cotangent of their sum. @param rows [N, d] @param labels int64 [N] */
  async losses(rows: Tensor<'float32'>, labels: BigInt64Array, wantCotangent: boolean, signal?: AbortSignal): Promise<RowLosses> {
    const weights = tensor('float32', [labels.length], new Float32Array(labels.length).fill(1));
    const feeds = { rows, labels: tensor('int64', [labels.length], labels), weights };
    const fetches = wantCotangent ? ['nll', 'correct', 'cotangent'] : ['nll', 'correct'];
    const { nll, correct, cotangent } = await this.#repeat(this.manifest.graphs.loss.plain.file, feeds, fetches, signal);
    return {
      nll: nll!.data as Float32Array,
      correct: correct!.data as Float32Array,
      ...(wantCotangent ? { cotangent: cotangent!.data as Float32Array } : {}),
    };
  }

  /** Stops the worker threads. */
  close(): Promise<void> {
    return this.#graphs.close();
  }

  #span(span: ClientSpan, kind: AdapterKind | 'none') {
    const graphs = this.manifest.graphs[span]?.[kind];
    if (graphs === undefined) throw new CutlayerError('INVALID_ARTIFACT', `${this.dir}: the bundle has no ${span} graphs for ${kind}`);
    return graphs;
  }

  #run(graph: GraphEntry, feeds: Feeds, signal?: AbortSignal): Promise<Feeds> {
    const taken = Object.fromEntries(
      graph.inputs.map((name) => {
        const value = feeds[name];
        if (value === undefined) throw new CutlayerError('INTERNAL', `${graph.file}: no value for its input ${name}`);
        return [name, value];
      }),
    );
    return this.#repeat(graph.file, taken, graph.outputs, signal);
  }

  /** Runs a graph; again when its worker thread crashed, which starts anew by itself. */
  #repeat(file: string, feeds: Feeds, fetches: readonly string[], signal?: AbortSignal): Promise<Feeds> {
    return retrying(() => this.#graphs.run(file, feeds, { fetches, signal }), { retryForMs: 10_000 }, { signal });
  }

  async #single(graph: GraphEntry, feeds: Feeds, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const outputs = await this.#run(graph, feeds, signal);
    // The bundle's graphs compute in float32 throughout.
    return outputs[graph.outputs[0]!] as Tensor<'float32'>;
  }
}
