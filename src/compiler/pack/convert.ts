/** Copies weights from a checkpoint into a float32 safetensors file, chunk by chunk. */
import { CutlayerError } from '../../errors.js';
import type { Checkpoint } from '../../safetensors/checkpoint.js';
import { layOut, type SafetensorsLayout } from '../../safetensors/layout.js';
import { createSafetensors } from '../../safetensors/writer.js';
import type { Weight } from '../models/weights.js';
import type { WeightSources } from './weight-sources.js';

/** The data begins at a page, so that mapped weights begin at one. */
const ALIGNMENT = 4096;

/** The file that will hold these weights, in this order. */
export function layOutWeights(weights: readonly Weight[]): SafetensorsLayout {
  return layOut(
    weights.map(({ name, shape }) => ({ name, dtype: 'F32' as const, shape })),
    { alignment: ALIGNMENT },
  );
}

/** What {@link convertWeights} works on. */
export interface Conversion {
  readonly checkpoint: Checkpoint;
  readonly sources: WeightSources;
  readonly weights: readonly Weight[];
  readonly layout: SafetensorsLayout;
  /** The file to be created. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
  /** Called after each chunk with the bytes just written and the weight they belong to. */
  readonly onBytes: (bytes: number, weight: string) => void;
}

/**
 * Writes the weights; at most two chunks are in memory.
 * @returns the file's size and sha256.
 * @throws CutlayerError NON_FINITE for a weight with NaN or infinity; AbortError when the signal fires.
 */
export async function convertWeights(conversion: Conversion): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const { checkpoint, sources, weights, layout, path, signal, onBytes } = conversion;
  const writer = await createSafetensors(path, layout);
  try {
    for (const weight of weights) {
      const source = sources.nameOf(weight);
      let done = 0;
      for await (const chunk of checkpoint.chunks(source, signal)) {
        requireFinite(chunk, source, done);
        await writer.append(chunk);
        done += chunk.length;
        onBytes(chunk.byteLength, weight.name);
      }
    }
    return await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function requireFinite(chunk: Float32Array, name: string, first: number): void {
  const bits = new Uint32Array(chunk.buffer, chunk.byteOffset, chunk.length);
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7f800000) === 0x7f800000)
      throw new CutlayerError('NON_FINITE', `checkpoint: ${name}: element ${first + i} is ${chunk[i]}; expected finite weights`);
  }
}

/**
 * Checks that two tensors of a checkpoint hold the same values: a tied head stored a second time.
 * @throws CutlayerError UNSUPPORTED_CHECKPOINT
 */
export async function requireEqual(checkpoint: Checkpoint, name: string, other: string, signal?: AbortSignal): Promise<void> {
  const others = checkpoint.chunks(other, signal);
  for await (const chunk of checkpoint.chunks(name, signal)) {
    const next = await others.next();
    const same = next.done !== true && Buffer.compare(bytesOf(chunk), bytesOf(next.value)) === 0;
    if (!same) {
      await others.return(undefined);
      throw new CutlayerError(
        'UNSUPPORTED_CHECKPOINT',
        `checkpoint: config.json ties the head to the embedding, but ${name} and ${other} differ; set tie_word_embeddings to false if both are meant`,
      );
    }
  }
}

const bytesOf = (chunk: Float32Array): Uint8Array => new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
