/** The client's half of the model, run from the bundle's graphs off the main thread. */
import { join } from 'node:path';
import { type GraphEntry, graphEntries, type SpanGraphs, type SpanKind } from '../../../src/artifacts/manifest.js';
import { type ClientBundleArtifact, loadClientBundle } from '../../../src/artifacts/store.js';
import { CutlayerError } from '../../../src/errors.js';
import { openGraphs } from '../../../src/runtime/graphs.js';
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import type { AdapterDims, Feeds, FloatFeeds, StepCotangents, StepParts } from '../adapters/adapter.js';
import type { AdapterModel, ClientBlockWeight, ModelIdentity } from '../adapters/context.js';
import { retrying } from '../connection/retry.js';
import type { BundleIdentity } from '../connection/served-model.js';
import { TextTokenizer } from '../data/text-tokenizer.js';
import { optimizations } from '../optimizations.js';
import { BlockDecoders, type ClientSpan } from './block-decoders.js';
import { type SpanRows, spanRows } from './span-rows.js';

export type { ClientSpan } from './block-decoders.js';

/** The worker threads that run a bundle's graphs. */
type GraphPool = Awaited<ReturnType<typeof openGraphs>>;

export interface OpenBundleOptions {
  /** Worker threads that run graphs. Default 1. */
  readonly workers?: number;
  /** Threads of each worker. Default: the machine's cores, divided among the workers. */
  readonly threads?: number | undefined;
  /** False skips the digest of the weights file. Default true. */
  readonly verify?: boolean;
  /** The public key that must have signed the manifest, base64url; absent, none must. */
  readonly signer?: string | undefined;
  /** The chat template, by its name, of conversations that name none. Default: as transformers. */
  readonly chatTemplate?: string | undefined;
  /** False computes all cotangents of a span, wanted or not. Default true: the wanted ones. */
  readonly wantedOnly?: boolean;
  /** False runs held blocks on padding too. Default: `optimizations.packedRows`. */
  readonly packedRows?: boolean;
}

/** Which of a span's graphs runs. */
export interface SpanVariant {
  readonly span: ClientSpan;
  readonly kind: SpanKind;
  /** With the span's block weights as inputs. */
  readonly trained: boolean;
}

export interface SpanVjpOptions {
  /** Block weights of a trained span whose cotangents are wanted; no others are computed. */
  readonly weights?: Feeds | undefined;
  /** Other inputs whose cotangents are wanted; no others are computed. Default: all. */
  readonly inputs?: readonly string[];
  /** As in `spanForward`. */
  readonly lengths?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What stands in for the checkpoint's own head. */
export type HeadParts = Pick<StepParts, 'headLora' | 'tokenRows' | 'classifier'>;
/** The cotangents of {@link HeadParts}; of `tokenRows` only what comes through a tied head. */
export type HeadCotangents = Pick<StepCotangents, 'headLora' | 'tokenRows' | 'classifier'>;

/** What `loss` gives for some rows. */
export interface RowLosses {
  /** [rows], of each row's label; unweighted. */
  readonly nll: Float32Array;
  /** [rows], 1 where the most probable token (or class) is the label. */
  readonly correct: Float32Array;
  /** [rows, d], of the sum; absent unless asked for. */
  readonly cotangent?: Float32Array;
  /** Of the sum; absent unless asked for. */
  readonly head?: HeadCotangents;
}

/** An open client bundle. */
export class ClientBundle implements AdapterModel {
  readonly dir: string;
  readonly manifest: ClientBundleArtifact['manifest'];
  readonly dims: AdapterDims;
  readonly vocabSize: number;
  readonly family: string;
  readonly embedScale: number;
  readonly promptScale: number;
  readonly modules: AdapterModel['modules'];
  readonly tiedHead: boolean;
  readonly linearLayout: AdapterModel['linearLayout'];
  /** Decode through the blocks that the client holds. */
  readonly decoders: BlockDecoders;
  readonly #tokenizer: TextTokenizer | undefined;
  readonly #graphs: GraphPool;
  readonly #wantedOnly: boolean;
  readonly #packedRows: boolean;
  readonly #blockWeights = new Map<string, Promise<Tensor<'float32'>>>();

  private constructor(artifact: ClientBundleArtifact, tokenizer: TextTokenizer | undefined, graphs: GraphPool, options: OpenBundleOptions) {
    this.decoders = new BlockDecoders(artifact, options.threads);
    this.#wantedOnly = options.wantedOnly ?? true;
    this.#packedRows = options.packedRows ?? optimizations.packedRows;
    this.dir = artifact.dir;
    this.manifest = artifact.manifest;
    this.#tokenizer = tokenizer;
    this.#graphs = graphs;
    const { dims, cut } = artifact.manifest;
    this.dims = { ...dims, bottom: cut.bottom, backbone: dims.numLayers, top: cut.top };
    ({
      vocabSize: this.vocabSize,
      family: this.family,
      embedScale: this.embedScale,
      promptScale: this.promptScale,
      modules: this.modules,
      tiedHead: this.tiedHead,
      linearLayout: this.linearLayout,
    } = artifact.manifest);
  }

  /**
   * @throws CutlayerError NOT_FOUND, INVALID_ARTIFACT, INVALID_OPTION (chatTemplate),
   *   DIGEST_MISMATCH, SIGNATURE_REJECTED
   */
  static async open(dir: string, options: OpenBundleOptions = {}): Promise<ClientBundle> {
    const artifact = await loadClientBundle(dir, { verify: options.verify ?? true, signer: options.signer });
    const { manifest } = artifact;
    const tokenizer =
      manifest.tokenizerFiles.length === 0
        ? undefined
        : await TextTokenizer.load(artifact.dir, { ...manifest, template: options.chatTemplate });
    const graphs = await openGraphs(
      { dir: artifact.dir, weightsFile: manifest.weightsFile, graphs: graphEntries(manifest.graphs).map(({ file }) => file) },
      { workers: options.workers ?? 1, ...(options.threads === undefined ? {} : { threads: options.threads }), warm: false },
    ).catch(async (error: unknown) => {
      await tokenizer?.close();
      throw error;
    });
    return new ClientBundle(artifact, tokenizer, graphs, options);
  }

  /** @throws CutlayerError NOT_FOUND when the checkpoint came without one: token ids still work. */
  get tokenizer(): TextTokenizer {
    if (this.#tokenizer !== undefined) return this.#tokenizer;
    throw new CutlayerError('NOT_FOUND', `${this.dir}: the bundle has no tokenizer; pack a checkpoint that has tokenizer.json`);
  }

  /** What to tell of the tokenizer's eos token; undefined where there is nothing to tell. */
  get eosNote(): string | undefined {
    return this.#tokenizer?.eosNote;
  }

  get blockWeights(): readonly ClientBlockWeight[] {
    const { bottom, top } = this.manifest.blockWeights;
    return [...bottom, ...top];
  }

  /** For the check against the gateway's model card, and what adapters are bound to. */
  get identity(): BundleIdentity & ModelIdentity {
    const { backboneDigest, dims, cut, files } = this.manifest;
    const tokenizerDigest = files.find(({ path }) => path === 'tokenizer.json')?.sha256;
    return { dir: this.dir, backboneDigest, tokenizerDigest, dims, cut };
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

  /** Whether some of these weights belong to a span's blocks. */
  holdsSome(span: ClientSpan, weights: Feeds | undefined): boolean {
    return weights !== undefined && this.manifest.blockWeights[span].some(({ name }) => name in weights);
  }

  /** All weights of a span's blocks: the given ones, and the checkpoint's own of the others. */
  async spanWeights(span: ClientSpan, given: Feeds): Promise<Feeds> {
    const entries = this.manifest.blockWeights[span].map(
      async ({ name }) => [name, given[name] ?? (await this.#blockWeight(name))] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  /**
   * Runs a span forward, on padded rows [batch, sequence, d]. Inputs that its graph does not take
   * are left out.
   * @param lengths real tokens of each sequence, so that padding is left out; absent: it counts
   */
  async spanForward(variant: SpanVariant, feeds: Feeds, signal?: AbortSignal, lengths?: readonly number[]): Promise<FloatFeeds> {
    const { forward } = this.#span(variant);
    const rows = this.#rows(variant, feeds, lengths);
    return rows.outputs(await this.#run(forward, rows.feeds, signal));
  }

  /** Runs a span's vjp: inputs and output cotangents in, input cotangents out. */
  async spanVjp(variant: SpanVariant, feeds: Feeds, options: SpanVjpOptions = {}): Promise<FloatFeeds> {
    const { weights = {}, inputs, lengths, signal } = options;
    const { vjp } = this.#span(variant);
    const ofWeights = new Map(this.manifest.blockWeights[variant.span].map(({ name }) => [`${name}Cotangent`, name in weights]));
    const ofInputs = inputs && new Set(inputs.map((name) => `${name}Cotangent`));
    const fetches = vjp.outputs.filter((name) => ofWeights.get(name) ?? ofInputs?.has(name) ?? true);
    const rows = this.#rows(variant, feeds, lengths);
    return rows.outputs(await this.#run(vjp, rows.feeds, signal, fetches, this.#wantedOnly && fetches.length < vjp.outputs.length));
  }

  /** @param rows [N, d] @returns logits [N, vocabSize], or with a classifier [N, classes] */
  logits(rows: Tensor<'float32'>, head: HeadParts = {}, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const { graphs } = this.manifest;
    const graph = head.classifier === undefined ? graphs.head[this.#headVariant(head)] : graphs.classifier.forward;
    return this.#single(this.#present(graph, 'head'), { rows, ...headFeeds(head) }, signal);
  }

  /**
   * Negative log likelihoods and, if wanted, their sum's cotangents, which change no bit of them.
   * @param rows [N, d] @param labels int64 [N]: token ids, or with a classifier class ids
   */
  async losses(
    rows: Tensor<'float32'>,
    labels: BigInt64Array,
    options: { readonly wantCotangent: boolean; readonly head?: HeadParts; readonly signal?: AbortSignal | undefined },
  ): Promise<RowLosses> {
    const { wantCotangent, head = {}, signal } = options;
    const { graphs } = this.manifest;
    // With a few classes the cotangents cost next to nothing, so they have no graph without them.
    const variants = wantCotangent ? graphs.loss : graphs.likelihood;
    const graph = this.#present(head.classifier === undefined ? variants[this.#headVariant(head)] : graphs.classifier.loss, 'loss');
    const weights = tensor('float32', [labels.length], new Float32Array(labels.length).fill(1));
    const feeds = { rows, labels: tensor('int64', [labels.length], labels), weights, ...headFeeds(head) };
    const cotangents = graph.outputs.filter((name) => name.toLowerCase().endsWith('cotangent'));
    const outputs = await this.#run(graph, feeds, signal, wantCotangent ? ['nll', 'correct', ...cotangents] : ['nll', 'correct']);
    return {
      nll: outputs.nll!.data,
      correct: outputs.correct!.data,
      ...(wantCotangent ? { cotangent: outputs.cotangent!.data, head: headCotangents(outputs) } : {}),
    };
  }

  async weight(name: string): Promise<Tensor<'float32'>> {
    const file = await openSafetensors(join(this.dir, this.manifest.weightsFile));
    try {
      if (!file.tensors.has(name)) throw new CutlayerError('MISSING_TENSOR', `${this.dir}: the bundle holds no weight ${name}`);
      return await file.read(name);
    } finally {
      await file.close();
    }
  }

  /**
   * What the blocks of a span would cache for one sequence.
   * @param rows [1, sequence, hiddenSize]: the bottom's `inputsEmbeds`, the top's `hiddenStates`.
   * @returns Keys after rotary embedding, and values: [blocks, 2, sequence, numKvHeads, headDim].
   */
  keyValues(span: ClientSpan, rows: Tensor<'float32'>, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const graph = this.#present(this.manifest.graphs.keyValues?.[span], `graph of the ${span}'s keys and values`);
    return this.#single(graph, { inputsEmbeds: rows, hiddenStates: rows }, signal);
  }

  runMethod(name: string, feeds: Feeds): Promise<FloatFeeds> {
    return this.#run(this.#method(name).forward, feeds);
  }

  runMethodVjp(name: string, feeds: Feeds): Promise<FloatFeeds> {
    return this.#run(this.#method(name).vjp, feeds);
  }

  /** Ends the threads of tokenizer and graphs. */
  async close(): Promise<void> {
    await this.#tokenizer?.close();
    await this.decoders.close();
    await this.#graphs.close();
  }

  #span({ span, kind, trained }: SpanVariant): SpanGraphs {
    const frozen = this.manifest.graphs[span];
    const graphs = trained ? frozen?.trained?.[kind] : frozen?.[kind];
    return this.#present(graphs, `${trained ? 'trained ' : ''}${span} graphs for ${kind}`);
  }

  #rows(variant: SpanVariant, feeds: Feeds, lengths: readonly number[] | undefined): SpanRows {
    return spanRows(variant.span, this.#span(variant), feeds, this.#packedRows ? lengths : undefined);
  }

  #method(name: string): SpanGraphs {
    const graphs: Readonly<Record<string, SpanGraphs | undefined>> = this.manifest.graphs.methods;
    return this.#present(graphs[name], `graphs of the method ${name}`);
  }

  /** Trained rows of the embedding change the head only where it is tied. */
  #headVariant({ headLora, tokenRows }: HeadParts): 'plain' | 'lora' | 'tokens' | 'loraTokens' {
    const tokens = tokenRows !== undefined && this.tiedHead;
    if (headLora === undefined) return tokens ? 'tokens' : 'plain';
    return tokens ? 'loraTokens' : 'lora';
  }

  #present<T>(found: T | undefined, what: string): T {
    if (found !== undefined) return found;
    throw new CutlayerError('INVALID_ARTIFACT', `${this.dir}: the bundle has no ${what}; pack the checkpoint again`);
  }

  #blockWeight(name: string): Promise<Tensor<'float32'>> {
    const known = this.#blockWeights.get(name) ?? this.weight(name);
    this.#blockWeights.set(name, known);
    // A failed read is tried again the next time.
    known.catch(() => this.#blockWeights.delete(name));
    return known;
  }

  /** @param pruned computes `fetches` alone, with a session of their own */
  #run(
    graph: GraphEntry,
    feeds: Feeds,
    signal?: AbortSignal,
    fetches: readonly string[] = graph.outputs,
    pruned = false,
  ): Promise<FloatFeeds> {
    const taken = Object.fromEntries(
      graph.inputs.map((name) => {
        const value = feeds[name];
        if (value === undefined) throw new CutlayerError('INTERNAL', `${graph.file}: no value for its input ${name}`);
        return [name, value];
      }),
    );
    // Repeated after a worker's crash, which restarts by itself. All graphs compute in float32.
    const outputs = retrying(() => this.#graphs.run(graph.file, taken, { fetches, pruned, signal }), { retryForMs: 10_000 }, { signal });
    return outputs as Promise<FloatFeeds>;
  }

  async #single(graph: GraphEntry, feeds: Feeds, signal?: AbortSignal): Promise<Tensor<'float32'>> {
    const outputs = await this.#run(graph, feeds, signal);
    return outputs[graph.outputs[0]!]!;
  }
}

function headFeeds({ headLora, tokenRows, classifier }: HeadParts): Feeds {
  return {
    ...(headLora === undefined ? {} : { loraA: headLora.a, loraB: headLora.b, loraScale: f32([], Float32Array.of(headLora.scale)) }),
    ...(tokenRows === undefined
      ? {}
      : {
          tokenIds: tensor('int64', [tokenRows.tokenIds.length], BigInt64Array.from(tokenRows.tokenIds, BigInt)),
          tokenRows: tokenRows.rows,
        }),
    ...(classifier === undefined ? {} : { classifierWeight: classifier }),
  };
}

function headCotangents(outputs: FloatFeeds): HeadCotangents {
  const { loraACotangent: a, loraBCotangent: b, tokenRowsCotangent: tokenRows, classifierWeightCotangent: classifier } = outputs;
  return {
    ...(a === undefined || b === undefined ? {} : { headLora: { a, b } }),
    ...(tokenRows === undefined ? {} : { tokenRows }),
    ...(classifier === undefined ? {} : { classifier }),
  };
}
