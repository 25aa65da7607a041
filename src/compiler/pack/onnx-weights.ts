/** The weights of imported graphs: those that any of them uses, streamed from where the model keeps them into one safetensors file. */

import { layOut, type SafetensorsLayout } from '../../safetensors/layout.js';
import { createSafetensors } from '../../safetensors/writer.js';
import { dtypes } from '../../tensor/dtype.js';
import type { Graph } from '../onnx/graph.js';
import type { ModelTensor, OnnxModel } from '../onnx/import/model.js';
import { readChunks } from '../onnx/import/tensor-source.js';

/** The data begins at a page, so that mapped weights begin at one. */
const ALIGNMENT = 4096;

/** Weights and where each will lie. */
export interface OnnxWeights {
  readonly tensors: readonly ModelTensor[];
  readonly layout: SafetensorsLayout;
  /** Scalars among the real ones. */
  readonly parameters: number;
  /** Of all of them, as written. */
  readonly bytes: number;
}

/** The weights that some graphs use, in the model's order. */
export function weightsOf({ initializers, constants }: OnnxModel, graphs: readonly Graph[]): OnnxWeights {
  const used = new Set(graphs.flatMap(({ weights }) => weights.map(({ name }) => name)));
  const tensors = [...initializers.values(), ...constants.values()].filter(({ weightName }) => used.has(weightName));
  const sized = tensors.map((tensor) => ({ tensor, bytes: tensor.elements * dtypes[tensor.dtype].bytes }));
  return {
    tensors,
    layout: layOut(
      tensors.map(({ weightName, dtype, shape }) => ({ name: weightName, dtype: dtypes[dtype].safetensors, shape })),
      { alignment: ALIGNMENT },
    ),
    parameters: tensors.reduce((sum, { dtype, elements }) => sum + (dtypes[dtype].real ? elements : 0), 0),
    bytes: sized.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/**
 * Writes them; one chunk is in memory at a time.
 * @returns the file's size and sha256.
 * @throws CutlayerError INVALID_ONNX; AbortError when the signal fires.
 */
export async function writeWeights(
  { tensors, layout }: OnnxWeights,
  path: string,
  { onBytes, signal }: { readonly onBytes: (bytes: number, weight: string) => void; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const writer = await createSafetensors(path, layout);
  try {
    for (const tensor of tensors) {
      for await (const chunk of readChunks(tensor, signal)) {
        await writer.append(chunk);
        onBytes(chunk.length, tensor.weightName);
      }
    }
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
