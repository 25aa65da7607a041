/** Writes a safetensors file as a stream, with only the current chunk in memory. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { CutlayerError } from '../errors.js';
import type { SafetensorsLayout } from './layout.js';

export interface SafetensorsWriter {
  /** Appends the next bytes of the data; tensors follow each other in the layout's order. */
  append(chunk: Float32Array | Uint8Array): Promise<void>;
  /**
   * Flushes and closes the file, and gives its size and digest.
   * @throws CutlayerError INVALID_SAFETENSORS when fewer bytes came than the layout has.
   */
  finish(): Promise<{ readonly bytes: number; readonly sha256: string }>;
  /** Closes the file without checking that it is complete. */
  abandon(): Promise<void>;
}

/** Creates a new file with its header. @throws the file system's error */
export async function createSafetensors(path: string, layout: SafetensorsLayout): Promise<SafetensorsWriter> {
  const file = await open(path, 'wx');
  const hash = createHash('sha256');
  let at = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    if (at + bytes.length > layout.bytes)
      throw new CutlayerError('INVALID_SAFETENSORS', `${path}: the layout has ${layout.bytes} bytes, more came`);
    hash.update(bytes);
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
      done += bytesWritten;
    }
    at += bytes.length;
  };
  await put(layout.head);
  return {
    append: (chunk) => put(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)),
    async finish() {
      if (at !== layout.bytes)
        throw new CutlayerError('INVALID_SAFETENSORS', `${path}: the layout has ${layout.bytes} bytes, only ${at} came`);
      await file.sync();
      await file.close();
      return { bytes: at, sha256: hash.digest('hex') };
    },
    abandon: () => file.close(),
  };
}
