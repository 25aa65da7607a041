/** Packs a backbone from an ONNX graph, and a client bundle from a directory. */
import { resolve } from 'node:path';
import { methodGraphNames } from '../../artifacts/manifest.js';
import { openCheckpoint } from '../../safetensors/checkpoint.js';
import { dtypes } from '../../tensor/dtype.js';
import { parameterCount } from '../graphs/cut.js';
import { backbonePorts, compileOnnxBackbone } from '../graphs/onnx-backbone.js';
import { describeOutside, type OutsideOptions } from '../models/outside.js';
import type { Graph } from '../onnx/graph.js';
import { type OnnxModel, openModel } from '../onnx/import/model.js';
import { readChunks } from '../onnx/import/tensor-source.js';
import { BundleWriter, type OutputRequest, type PackResult } from './bundle-writer.js';
import { checkTokenizer, readConfig } from './checkpoint-files.js';
import { checkpointWeights } from './checkpoint-weights.js';
import { writeEndGraphs } from './client-graph-files.js';
import { readGenerationConfig } from './generation-config.js';
import { type GraphOpener, tryBackbone } from './onnx-trial.js';
import type { StreamedWeight } from './weights-file.js';

/** An imported graph is one block that cannot be cut. */
const CUT = { bottom: 0, top: 0, numLayers: 1 } as const;

/** Its methods; it has no inputs for a prefix's keys and values. */
const METHODS = methodGraphNames.filter((name) => name !== 'prefixProjection');

export interface OnnxPackRequest extends Omit<OutputRequest, 'openGraphs'>, OutsideOptions {
  /** The graph, hidden states to hidden states; external data are beside it. */
  readonly onnxPath: string;
  /** Has config.json, tokenizer files, and safetensors of embedding, head and perhaps norm. */
  readonly bundleFromDir: string;
  /** Opens the packed graphs for the trial. */
  readonly openGraphs: GraphOpener;
  /** False: what crosses is not measured. Default true. */
  readonly measure?: boolean | undefined;
}

/**
 * Packs an imported backbone. Weights are streamed. The output appears whole or not at all, after
 * the graphs have run and passed the causality test.
 * @throws CutlayerError NOT_FOUND, INVALID_ONNX, UNSUPPORTED_OP, NOT_DIFFERENTIABLE, NOT_CAUSAL,
 *   INVALID_CONFIG, UNSUPPORTED_CONFIG, MISSING_TENSOR, INVALID_SHAPE, NON_FINITE, LIMIT_EXCEEDED,
 *   ALREADY_EXISTS, IO_ERROR; AbortError when the signal fires.
 */
export async function packOnnx(request: OnnxPackRequest): Promise<PackResult> {
  const { onnxPath, bundleFromDir, openGraphs, signal } = request;
  const onnx = await openModel(resolve(onnxPath));
  const ports = backbonePorts(onnx);
  const config = await readConfig(bundleFromDir);
  const checkpoint = await openCheckpoint(bundleFromDir);
  try {
    const model = describeOutside(config, checkpoint.tensors, ports.hiddenSize, request);
    const { hiddenSize, maxPositions, vocabSize } = model.spec;
    const generation = await readGenerationConfig(bundleFromDir, vocabSize);
    await checkTokenizer(bundleFromDir);
    const none = compileOnnxBackbone(onnx, ports, 'none');
    const softPrompt = compileOnnxBackbone(onnx, ports, 'softPrompt');
    const writer = new BundleWriter(
      {
        model,
        sourceDir: bundleFromDir,
        generation,
        family: 'onnx',
        cut: CUT,
        dims: { hiddenSize, numLayers: 1, numHeads: 0, numKvHeads: 0, headDim: 0, maxPositions },
        backbone: {
          ...onnxWeights(onnx, [none.forward, none.vjp, softPrompt.forward, softPrompt.vjp]),
          writeGraphs: (files) => ({ none: files.writeStep('none', none), softPrompt: files.writeStep('softPrompt', softPrompt) }),
        },
        client: {
          weights: checkpointWeights(checkpoint, model.weights.all, ({ name }) => name),
          parameters: parameterCount(model.weights.all),
          writeGraphs: (files) => writeEndGraphs(files, model, METHODS),
        },
        blockWeights: { bottom: [], top: [] },
        tryBackbone: (dir, manifest) => tryBackbone({ dir, manifest, label: onnxPath, openGraphs, signal }),
      },
      { ...request, openGraphs: request.measure === false ? undefined : openGraphs },
    );
    return await writer.write();
  } finally {
    await checkpoint.close();
  }
}

/**
 * The weights that some graphs use, in the model's order, and the number of scalars among the real
 * ones. Their chunks throw CutlayerError INVALID_ONNX when the model's files have become shorter.
 */
export function onnxWeights(
  { initializers, constants }: OnnxModel,
  graphs: readonly Graph[],
): { readonly weights: readonly StreamedWeight[]; readonly parameters: number } {
  const used = new Set(graphs.flatMap(({ weights }) => weights.map(({ name }) => name)));
  const tensors = [...initializers.values(), ...constants.values()].filter(({ weightName }) => used.has(weightName));
  return {
    weights: tensors.map((tensor) => ({
      name: tensor.weightName,
      dtype: dtypes[tensor.dtype].safetensors,
      shape: tensor.shape,
      chunks: (signal) => readChunks(tensor, signal),
    })),
    parameters: tensors.reduce((sum, { dtype, elements }) => sum + (dtypes[dtype].real ? elements : 0), 0),
  };
}
