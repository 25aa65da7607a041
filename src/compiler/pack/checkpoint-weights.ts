/** Weights of a checkpoint as float32, checked while they are streamed. */
import { CutlayerError } from '../../errors.js';
import type { Checkpoint } from '../../safetensors/checkpoint.js';
import type { Weight } from '../models/weights.js';
import type { StreamedWeight } from './weights-file.js';

/**
 * Some weights of a checkpoint. Their chunks throw CutlayerError NON_FINITE for NaN or infinity.
 * @param nameOf the checkpoint's name of a weight
 */
export function checkpointWeights(
  checkpoint: Checkpoint,
  weights: readonly Weight[],
  nameOf: (weight: Weight) => string,
): StreamedWeight[] {
  return weights.map((weight) => ({
    name: weight.name,
    dtype: 'F32',
    shape: weight.shape,
    chunks: (signal) => finiteChunks(checkpoint, nameOf(weight), signal),
  }));
}

async function* finiteChunks(checkpoint: Checkpoint, name: string, signal?: AbortSignal): AsyncGenerator<Float32Array> {
  let done = 0;
  for await (const chunk of checkpoint.chunks(name, signal)) {
    requireFinite(chunk, name, done);
    done += chunk.length;
    yield chunk;
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
 * Requires that two tensors of a checkpoint are equal: a tied head that is stored twice.
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
