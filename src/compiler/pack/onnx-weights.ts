/** The weights that imported graphs use, streamed from the model's files. */
import { dtypes } from '../../tensor/dtype.js';
import type { Graph } from '../onnx/graph.js';
import type { OnnxModel } from '../onnx/import/model.js';
import { readChunks } from '../onnx/import/tensor-source.js';
import type { StreamedWeight } from './weights-file.js';

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
