/** Packs a backbone that comes as an ONNX graph, and a client bundle from the directory that holds its tokenizer, embedding and head. */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  type BackboneManifest,
  backboneManifestSchema,
  type ClientBundleManifest,
  clientBundleManifestSchema,
  FORMAT_VERSION,
  methodGraphNames,
} from '../../artifacts/manifest.js';
import { CutlayerError } from '../../errors.js';
import { type Checkpoint, openCheckpoint } from '../../safetensors/checkpoint.js';
import { allFinite } from '../../tensor/finite.js';
import { type Tensor, tensor } from '../../tensor/tensor.js';
import type { Partition } from '../autodiff/partition.js';
import { parameterCount } from '../graphs/cut.js';
import { type BackbonePorts, backbonePorts, compileOnnxBackbone } from '../graphs/onnx-backbone.js';
import { checkCausality } from '../graphs/onnx-causality.js';
import { describeOutside, type OutsideOptions } from '../models/outside.js';
import type { ModelDescription } from '../models/registry.js';
import { type OnnxModel, openModel } from '../onnx/import/model.js';
import {
  BACKBONE_DIR,
  CLIENT_BUNDLE_DIR,
  mayReplace,
  type PackProgress,
  type PackResult,
  packResult,
  WEIGHTS_FILE,
  writeManifest,
} from './artifact-files.js';
import { bundleFields } from './bundle-fields.js';
import { modelCard } from './bundle-readme.js';
import { checkTokenizer, copyTokenizerFiles, generationEosTokens, readConfig } from './checkpoint-files.js';
import { convertWeights, layOutWeights } from './convert.js';
import { writeEndGraphs } from './end-graphs.js';
import { GraphFiles } from './graph-files.js';
import { type OnnxWeights, weightsOf, writeWeights } from './onnx-weights.js';
import { writeDirectory } from './output-directory.js';

/** An imported graph is one opaque block: its inside is nobody's to cut. */
const CUT = { bottom: 0, top: 0, numLayers: 1 } as const;

/** The graphs of one directory, running. */
export interface OpenedGraphs {
  run(graph: string, feeds: Readonly<Record<string, Tensor>>): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
}

/** Opens the graphs of a directory with whatever runs them. */
export type OpenGraphs = (source: {
  readonly dir: string;
  readonly weightsFile: string;
  readonly graphs: readonly string[];
}) => Promise<OpenedGraphs>;

/** What {@link packOnnx} is asked for. */
export interface OnnxPackRequest extends OutsideOptions {
  /** The graph, hidden states to hidden states; external data lie beside it. */
  readonly onnxPath: string;
  /** A directory with config.json, the safetensors of embedding, head and perhaps final norm, and the tokenizer's files. */
  readonly bundleFromDir: string;
  /** Must not exist or be empty, unless `force` and it holds packed artifacts. */
  readonly outDir: string;
  /** By default the name of `bundleFromDir`. */
  readonly name?: string | undefined;
  readonly force?: boolean | undefined;
  /** What tries the packed graphs. */
  readonly openGraphs: OpenGraphs;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Packs an imported backbone. Weights are streamed; the output appears whole or not at all, and only after the graphs have run and the backbone
 * has proved causal on random inputs.
 * @throws CutlayerError NOT_FOUND, INVALID_ONNX, UNSUPPORTED_OP, NOT_DIFFERENTIABLE, NOT_CAUSAL, INVALID_CONFIG, UNSUPPORTED_CONFIG, MISSING_TENSOR,
 *   INVALID_SHAPE, NON_FINITE, LIMIT_EXCEEDED, ALREADY_EXISTS, IO_ERROR; AbortError when the signal fires.
 */
export async function packOnnx(request: OnnxPackRequest): Promise<PackResult> {
  const onnx = await openModel(resolve(request.onnxPath));
  const ports = backbonePorts(onnx);
  const config = await readConfig(request.bundleFromDir);
  const checkpoint = await openCheckpoint(request.bundleFromDir);
  try {
    const model = describeOutside(config, checkpoint.tensors, ports.hiddenSize, request);
    await checkTokenizer(request.bundleFromDir, model.spec.vocabSize);
    const kinds = { none: compileOnnxBackbone(onnx, ports, 'none'), softPrompt: compileOnnxBackbone(onnx, ports, 'softPrompt') };
    const packing = new OnnxPacking(request, { onnx, ports, kinds }, model, checkpoint);
    return await writeDirectory(request.outDir, { replace: mayReplace(request.force) }, (temporary) => packing.run(temporary));
  } finally {
    await checkpoint.close();
  }
}

interface Imported {
  readonly onnx: OnnxModel;
  readonly ports: BackbonePorts;
  readonly kinds: { readonly none: Partition; readonly softPrompt: Partition };
}

class OnnxPacking {
  private done = 0;
  private readonly name: string;
  private readonly backboneWeights: OnnxWeights;

  constructor(
    private readonly request: OnnxPackRequest,
    private readonly imported: Imported,
    private readonly model: ModelDescription,
    private readonly checkpoint: Checkpoint,
  ) {
    this.name = (request.name ?? basename(resolve(request.bundleFromDir))).slice(0, 200) || 'onnx';
    const graphs = Object.values(imported.kinds).flatMap(({ forward, vjp }) => [forward, vjp]);
    this.backboneWeights = weightsOf(imported.onnx, graphs);
  }

  async run(dir: string): Promise<PackResult> {
    const backboneDir = join(dir, BACKBONE_DIR);
    const backbone = await this.backbone(backboneDir);
    await this.tryGraphs(backboneDir, backbone.manifest);
    const client = await this.client(join(dir, CLIENT_BUNDLE_DIR), backbone.digest);
    return packResult(this.request.outDir, backbone, client);
  }

  private async backbone(dir: string): Promise<{ readonly manifest: BackboneManifest; readonly digest: string }> {
    await mkdir(dir);
    const weights = this.backboneWeights;
    const digest = await writeWeights(weights, join(dir, WEIGHTS_FILE), { onBytes: this.progress, signal: this.request.signal });
    const graphs = new GraphFiles(dir, weights.layout, WEIGHTS_FILE);
    const { none, softPrompt } = this.imported.kinds;
    const manifest = backboneManifestSchema.parse({
      format: 'cutlayer-backbone',
      ...this.shared(weights.parameters),
      graphs: { none: await graphs.writeStep('none', none), softPrompt: await graphs.writeStep('softPrompt', softPrompt) },
      files: [{ path: WEIGHTS_FILE, ...digest }, ...graphs.files],
    });
    return { manifest, digest: await writeManifest(dir, manifest) };
  }

  /** Runs every graph once on random inputs, and the forward as often as it takes to see that it is causal. */
  private async tryGraphs(dir: string, { graphs, weightsFile }: BackboneManifest): Promise<void> {
    const { none, softPrompt } = graphs;
    const entries = [none, softPrompt].flatMap(({ forward, infer, vjp }) => [forward.file, infer.file, vjp.file]);
    const opened = await this.running('every graph', () => this.request.openGraphs({ dir, weightsFile, graphs: entries }));
    const { hiddenSize } = this.model.spec;
    try {
      await checkCausality({
        hiddenSize,
        maxPositions: this.model.spec.maxPositions,
        signal: this.request.signal,
        run: async (hiddenStates) => {
          const [batch = 0, length = 0] = hiddenStates.shape;
          const feeds = { hiddenStates, positions: rowIndexes(batch * length) };
          const { output } = await this.running(`forward on [${hiddenStates.shape.join(', ')}]`, () => opened.run(none.infer.file, feeds));
          return output as Tensor<'float32'>; // the graph was compiled to give float32
        },
      });
      for (const { forward, infer, vjp, prompt } of [
        { ...none, prompt: 0 },
        { ...softPrompt, prompt: 2 },
      ]) {
        const length = Math.max(1, Math.min(3, this.model.spec.maxPositions - prompt));
        const rows = prompt + 2 * length;
        const feeds: Readonly<Record<string, Tensor>> = {
          hiddenStates: filled([2, length, hiddenSize]),
          softPrompt: filled([prompt, hiddenSize]),
          positions: rowIndexes(rows),
          cotangent: filled([rows, hiddenSize]),
        };
        await this.running(infer.file, () => opened.run(infer.file, pick(feeds, infer.inputs)));
        const values = await this.running(forward.file, () => opened.run(forward.file, pick(feeds, forward.inputs)));
        const cotangents = await this.running(vjp.file, () => opened.run(vjp.file, pick({ ...feeds, ...values }, vjp.inputs)));
        for (const [name, { data }] of Object.entries(cotangents)) {
          if (!allFinite(data as Float32Array))
            // the graph was compiled to give float32
            throw new CutlayerError('INVALID_ONNX', `backbone: ${name} on random hidden states is not finite`);
        }
      }
    } finally {
      await opened.close();
    }
  }

  /** What the runtime refuses here is the graph's fault. */
  private async running<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (caught) {
      const error = CutlayerError.from(caught);
      if (error.code === 'CANCELLED') throw caught;
      throw new CutlayerError('INVALID_ONNX', `${this.request.onnxPath}: ONNX Runtime cannot run ${what}: ${error.message.slice(0, 500)}`, {
        cause: caught,
      });
    }
  }

  private async client(dir: string, backboneDigest: string): Promise<ClientBundleManifest> {
    await mkdir(dir);
    const { model, request, checkpoint } = this;
    const weights = model.weights.all;
    const layout = layOutWeights(weights);
    const path = join(dir, WEIGHTS_FILE);
    const sources = { nameOf: ({ name }: { readonly name: string }) => name };
    const digest = await convertWeights({ checkpoint, sources, weights, layout, path, signal: request.signal, onBytes: this.progress });
    const graphs = new GraphFiles(dir, layout, WEIGHTS_FILE);
    const methods = methodGraphNames.filter((name) => name !== 'prefixProjection');
    const ends = await writeEndGraphs(graphs, model, methods);
    const tokenizer = await copyTokenizerFiles(request.bundleFromDir, dir, request.signal);
    const generationEos = await generationEosTokens(request.bundleFromDir, model.spec.vocabSize);
    const card = {
      format: 'cutlayer-client-bundle' as const,
      ...this.shared(parameterCount(weights)),
      backboneDigest,
      ...bundleFields(model, generationEos),
      blockWeights: { bottom: [], top: [] },
      tokenizerFiles: tokenizer.map(({ path }) => path),
      graphs: ends,
    };
    const readme = await graphs.writeBytes('README.md', Buffer.from(modelCard(card, this.backboneWeights.parameters)));
    const files = [{ path: WEIGHTS_FILE, ...digest }, ...graphs.files, ...tokenizer, readme];
    const manifest = clientBundleManifestSchema.parse({ ...card, files });
    await writeManifest(dir, manifest);
    return manifest;
  }

  private readonly progress = (bytes: number, weight: string): void => {
    this.done += bytes;
    const total = this.backboneWeights.bytes + 4 * parameterCount(this.model.weights.all);
    this.request.onProgress?.({ done: this.done, total, weight });
  };

  private shared(parameters: number) {
    const { hiddenSize, maxPositions } = this.model.spec;
    return {
      formatVersion: FORMAT_VERSION,
      name: this.name,
      family: 'onnx',
      dtype: 'float32' as const,
      positions: 'promptRowsFirst' as const,
      cut: CUT,
      dims: { hiddenSize, numLayers: 1, numHeads: 0, numKvHeads: 0, headDim: 0, maxPositions },
      parameters,
      weightsFile: WEIGHTS_FILE,
    };
  }
}

const rowIndexes = (count: number): Tensor<'int64'> =>
  tensor(
    'int64',
    [count],
    BigInt64Array.from({ length: count }, (_, at) => BigInt(at)),
  );

/** Numbers of a moderate size, no two neighbours alike. */
function filled(shape: readonly number[]): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length }, (_, at) => Math.sin(1.7 * at + 0.3)),
  );
}

const pick = (tensors: Readonly<Record<string, Tensor>>, names: readonly string[]): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(names.map((name) => [name, tensors[name]!]));
