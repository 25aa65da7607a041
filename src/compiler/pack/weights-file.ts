/** Writes an artifact's weights as a safetensors file, chunk by chunk. */
import { layOut, type SafetensorsLayout, type TensorSpec } from '../../safetensors/layout.js';
import { createSafetensors } from '../../safetensors/writer.js';

/** The data begins at a page, so that mapped weights begin at one. */
const ALIGNMENT = 4096;

/** A weight and its elements in file order. */
export interface StreamedWeight extends TensorSpec {
  readonly chunks: (signal?: AbortSignal) => AsyncIterable<Float32Array | Uint8Array>;
}

/** The file that will hold these weights, in this order. */
export function layOutWeights(weights: readonly TensorSpec[]): SafetensorsLayout {
  return layOut(weights, { alignment: ALIGNMENT });
}

/**
 * Writes the weights; at most two chunks are in memory.
 * @param path the file to be created
 * @param options.onBytes called after each chunk with the bytes just written and the weight they
 *   belong to
 * @returns the file's size and sha256
 * @throws what a weight's chunks throw; AbortError when the signal fires
 */
export async function writeWeights(
  path: string,
  layout: SafetensorsLayout,
  weights: readonly StreamedWeight[],
  options: { readonly onBytes?: (bytes: number, weight: string) => void; readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const writer = await createSafetensors(path, layout);
  try {
    for (const { name, chunks } of weights) {
      for await (const chunk of chunks(options.signal)) {
        await writer.append(chunk);
        options.onBytes?.(chunk.byteLength, name);
      }
    }
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}
