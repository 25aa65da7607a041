/** Packs a Hugging Face checkpoint into a backbone and a client bundle (docs/architecture.md). */
import { type BackboneManifest, type BlockWeight, type Cut, spanKinds } from '../../artifacts/manifest.js';
import { openCheckpoint } from '../../safetensors/checkpoint.js';
import { compileBackbone } from '../graphs/backbone-graphs.js';
import { blockWeights, cutOf, parameterCount, partitionWeights, spansOf } from '../graphs/cut.js';
import { compileKeyValues } from '../graphs/key-value-graphs.js';
import { describeModel, type ModelDescription } from '../models/registry.js';
import type { Weight } from '../models/weights.js';
import { BundleWriter, type OutputRequest, type PackResult } from './bundle-writer.js';
import { checkTokenizer, readConfig } from './checkpoint-files.js';
import { checkpointWeights, requireEqual } from './checkpoint-weights.js';
import { writeClientGraphs } from './client-graph-files.js';
import { writeBackboneDecode } from './decode-files.js';
import { readGenerationConfig } from './generation-config.js';
import type { GraphFiles } from './graph-files.js';
import { matchWeights } from './weight-sources.js';

export interface PackRequest extends OutputRequest {
  /** A directory with config.json and safetensors weights. */
  readonly checkpointDir: string;
  /** Blocks in the client's bottom. */
  readonly bottom: number;
  /** Blocks in the client's top. */
  readonly top: number;
}

/**
 * Packs a checkpoint. Weights are streamed, so memory stays bounded. The output appears whole or
 * not at all.
 * @throws CutlayerError NOT_FOUND, INVALID_CONFIG, UNSUPPORTED_FAMILY, UNSUPPORTED_CONFIG,
 *   UNSUPPORTED_CHECKPOINT, INVALID_CUT, INVALID_SAFETENSORS, MISSING_TENSOR, UNEXPECTED_TENSOR,
 *   INVALID_SHAPE, NON_FINITE, ALREADY_EXISTS, IO_ERROR; AbortError when the signal fires.
 */
export async function pack(request: PackRequest): Promise<PackResult> {
  const { checkpointDir, signal } = request;
  const model = describeModel(await readConfig(checkpointDir));
  const { spec, weights, family } = model;
  const cut = cutOf(spec, request.bottom, request.top);
  const generation = await readGenerationConfig(checkpointDir, spec.vocabSize);
  await checkTokenizer(checkpointDir);
  const checkpoint = await openCheckpoint(checkpointDir);
  try {
    const { nameOf, headCopy } = matchWeights(model, checkpoint);
    if (headCopy !== undefined) await requireEqual(checkpoint, nameOf(weights.model('embedTokens')), headCopy, signal);
    const held = partitionWeights(weights, cut);
    const artifact = <Graphs>(some: readonly Weight[], writeGraphs: (files: GraphFiles) => Graphs) => ({
      weights: checkpointWeights(checkpoint, some, nameOf),
      parameters: parameterCount(some),
      writeGraphs,
    });
    const { numHeads, numKvHeads, headDim } = spec.attention;
    const numLayers = cut.numLayers - cut.bottom - cut.top;
    const writer = new BundleWriter(
      {
        model,
        sourceDir: checkpointDir,
        generation,
        family: family.name,
        cut,
        dims: { hiddenSize: spec.hiddenSize, numLayers, numHeads, numKvHeads, headDim, maxPositions: spec.maxPositions },
        backbone: artifact(held.backbone, (files) => writeBackboneGraphs(files, model, cut)),
        client: artifact(held.client, (files) => writeClientGraphs(files, model, cut)),
        blockWeights: { bottom: blockEntries(model, spansOf(cut).bottom), top: blockEntries(model, spansOf(cut).top) },
      },
      request,
    );
    return await writer.write();
  } finally {
    await checkpoint.close();
  }
}

function writeBackboneGraphs(files: GraphFiles, model: ModelDescription, cut: Cut): BackboneManifest['graphs'] {
  const steps = spanKinds.map((kind) => [kind, files.writeStep(kind, compileBackbone(model, cut, kind))]);
  return {
    ...(Object.fromEntries(steps) as Pick<BackboneManifest['graphs'], (typeof spanKinds)[number]>), // one entry a kind
    keyValues: files.write('key-values.onnx', compileKeyValues(model, cut, 'backbone')),
    decode: writeBackboneDecode(files, model, cut),
  };
}

function blockEntries({ weights }: ModelDescription, span: readonly [number, number]): BlockWeight[] {
  return blockWeights(weights, span).map(({ name, role, layer, shape }) => ({ name, role, layer: layer!, shape: [...shape] }));
}
