/** Packs a Hugging Face checkpoint into a backbone for the vendor and a bundle for its clients (docs/architecture.md). */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  adapterKinds,
  type BackboneManifest,
  type BlockWeight,
  backboneManifestSchema,
  type ClientBundleManifest,
  type ClientSpanGraphs,
  type Cut,
  clientBundleManifestSchema,
  type Dims,
  FORMAT_VERSION,
  methodGraphNames,
} from '../../artifacts/manifest.js';
import { type Checkpoint, openCheckpoint } from '../../safetensors/checkpoint.js';
import { compileBackbone } from '../graphs/backbone-graphs.js';
import { compileBottom, compileTop, hasBottom } from '../graphs/client-graphs.js';
import { blockWeights, cutOf, parameterCount, partitionWeights, spansOf } from '../graphs/cut.js';
import { compileKeyValues } from '../graphs/key-value-graphs.js';
import { describeModel, type ModelDescription } from '../models/registry.js';
import type { Weight } from '../models/weights.js';
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
import { convertWeights, layOutWeights, requireEqual } from './convert.js';
import { writeEndGraphs } from './end-graphs.js';
import { GraphFiles } from './graph-files.js';
import { writeDirectory } from './output-directory.js';
import { matchWeights, type WeightSources } from './weight-sources.js';

/** What {@link pack} is asked for. */
export interface PackRequest {
  /** A directory with config.json and safetensors weights. */
  readonly checkpointDir: string;
  /** Blocks in the client's bottom. */
  readonly bottom: number;
  /** Blocks in the client's top. */
  readonly top: number;
  /** Must not exist or be empty, unless `force` and it holds packed artifacts. */
  readonly outDir: string;
  /** By default the checkpoint directory's name. */
  readonly name?: string;
  readonly force?: boolean;
  readonly onProgress?: (progress: PackProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Packs a checkpoint. Weights are streamed: memory stays bounded whatever the model's size. The output appears whole or not at all.
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG, UNSUPPORTED_FAMILY, UNSUPPORTED_CONFIG, UNSUPPORTED_CHECKPOINT, INVALID_CUT, INVALID_SAFETENSORS,
 *   MISSING_TENSOR, UNEXPECTED_TENSOR, INVALID_SHAPE, NON_FINITE, ALREADY_EXISTS, IO_ERROR; AbortError when the signal fires.
 */
export async function pack(request: PackRequest): Promise<PackResult> {
  const model = describeModel(await readConfig(request.checkpointDir));
  const cut = cutOf(model.spec, request.bottom, request.top);
  await checkTokenizer(request.checkpointDir, model.spec.vocabSize);
  const checkpoint = await openCheckpoint(request.checkpointDir);
  try {
    const sources = matchWeights(model, checkpoint);
    if (sources.headCopy !== undefined) {
      await requireEqual(checkpoint, sources.nameOf(model.weights.model('embedTokens')), sources.headCopy, request.signal);
    }
    const packing = new Packing(request, model, cut, checkpoint, sources);
    return await writeDirectory(request.outDir, { replace: mayReplace(request.force) }, (temporary) => packing.run(temporary));
  } finally {
    await checkpoint.close();
  }
}

class Packing {
  private done = 0;
  private readonly weights: { readonly backbone: readonly Weight[]; readonly client: readonly Weight[] };
  private readonly name: string;

  constructor(
    private readonly request: PackRequest,
    private readonly model: ModelDescription,
    private readonly cut: Cut,
    private readonly checkpoint: Checkpoint,
    private readonly sources: WeightSources,
  ) {
    this.weights = partitionWeights(model.weights, cut);
    this.name = (request.name ?? basename(resolve(request.checkpointDir))).slice(0, 200) || model.family.name;
  }

  async run(dir: string): Promise<PackResult> {
    const backbone = await this.backbone(join(dir, BACKBONE_DIR));
    const client = await this.client(join(dir, CLIENT_BUNDLE_DIR), backbone.digest, backbone.manifest.parameters);
    return packResult(this.request.outDir, backbone, client);
  }

  private async backbone(dir: string): Promise<{ readonly manifest: BackboneManifest; readonly digest: string }> {
    await mkdir(dir);
    const { layout, file } = await this.convert(dir, this.weights.backbone);
    const graphs = new GraphFiles(dir, layout, WEIGHTS_FILE);
    const entries: Partial<BackboneManifest['graphs']> = {};
    for (const kind of adapterKinds) {
      entries[kind] = await graphs.writeStep(kind, compileBackbone(this.model, this.cut, kind));
    }
    entries.keyValues = await graphs.write('key-values.onnx', compileKeyValues(this.model, this.cut, 'backbone'));
    const manifest = backboneManifestSchema.parse({
      format: 'cutlayer-backbone',
      ...this.shared(parameterCount(this.weights.backbone)),
      graphs: entries,
      files: [file, ...graphs.files],
    });
    return { manifest, digest: await writeManifest(dir, manifest) };
  }

  private async client(dir: string, backboneDigest: string, backboneParameters: number): Promise<ClientBundleManifest> {
    await mkdir(dir);
    const { model, cut, request } = this;
    const { layout, file } = await this.convert(dir, this.weights.client);
    const graphs = new GraphFiles(dir, layout, WEIGHTS_FILE);
    const entries = await this.clientGraphs(graphs);
    const tokenizer = await copyTokenizerFiles(request.checkpointDir, dir, request.signal);
    const generationEos = await generationEosTokens(request.checkpointDir, model.spec.vocabSize);
    const card = {
      format: 'cutlayer-client-bundle' as const,
      ...this.shared(parameterCount(this.weights.client)),
      backboneDigest,
      ...bundleFields(model, generationEos),
      blockWeights: { bottom: blockEntries(model, spansOf(cut).bottom), top: blockEntries(model, spansOf(cut).top) },
      tokenizerFiles: tokenizer.map(({ path }) => path),
      graphs: entries,
    };
    const readme = await graphs.writeBytes('README.md', Buffer.from(modelCard(card, backboneParameters)));
    const manifest = clientBundleManifestSchema.parse({ ...card, files: [file, ...graphs.files, ...tokenizer, readme] });
    await writeManifest(dir, manifest);
    return manifest;
  }

  private async clientGraphs(graphs: GraphFiles): Promise<ClientBundleManifest['graphs']> {
    const { model, cut } = this;
    const span = async (name: string, hasBlocks: boolean, compile: typeof compileTop): Promise<ClientSpanGraphs> => ({
      ...(await graphs.writeSpans(name, (kind) => compile(model, cut, kind))),
      ...(hasBlocks && { trained: await graphs.writeSpans(`${name}-trained`, (kind) => compile(model, cut, kind, 'inputs')) }),
    });
    const entries: ClientBundleManifest['graphs'] = await writeEndGraphs(graphs, model, methodGraphNames);
    if (hasBottom(model, cut)) entries.bottom = await span('bottom', cut.bottom > 0, compileBottom);
    if (cut.top > 0) entries.top = await span('top', true, compileTop);
    entries.keyValues = {
      ...(cut.bottom > 0 && { bottom: await graphs.write('bottom-key-values.onnx', compileKeyValues(model, cut, 'bottom')) }),
      ...(cut.top > 0 && { top: await graphs.write('top-key-values.onnx', compileKeyValues(model, cut, 'top')) }),
    };
    return entries;
  }

  private async convert(dir: string, weights: readonly Weight[]) {
    const layout = layOutWeights(weights);
    const total = 4 * parameterCount(this.model.weights.all);
    const digest = await convertWeights({
      checkpoint: this.checkpoint,
      sources: this.sources,
      weights,
      layout,
      path: join(dir, WEIGHTS_FILE),
      signal: this.request.signal,
      onBytes: (bytes, weight) => {
        this.done += bytes;
        this.request.onProgress?.({ done: this.done, total, weight });
      },
    });
    return { layout, file: { path: WEIGHTS_FILE, ...digest } };
  }

  private shared(parameters: number) {
    const { spec, family } = this.model;
    const { numHeads, numKvHeads, headDim } = spec.attention;
    const numLayers = this.cut.numLayers - this.cut.bottom - this.cut.top;
    const dims: Dims = { hiddenSize: spec.hiddenSize, numLayers, numHeads, numKvHeads, headDim, maxPositions: spec.maxPositions };
    return {
      formatVersion: FORMAT_VERSION,
      name: this.name,
      family: family.name,
      dtype: 'float32' as const,
      positions: 'promptRowsFirst' as const,
      cut: this.cut,
      dims,
      parameters,
      weightsFile: WEIGHTS_FILE,
    };
  }
}

function blockEntries({ weights }: ModelDescription, span: readonly [number, number]): BlockWeight[] {
  return blockWeights(weights, span).map(({ name, role, layer, shape }) => ({ name, role, layer: layer!, shape: [...shape] }));
}
