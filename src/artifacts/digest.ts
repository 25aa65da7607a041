/** sha256 of bytes and of files, in bounded memory. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

const CHUNK_BYTES = 4 << 20;

/** The sha256 of some bytes, as 64 lower-case hex digits. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The sha256 and size of a file, read in chunks of at most 4 MB. Small files get small buffers, as
 * an artifact has a hundred of them.
 * @throws AbortError when `signal` fires; the file system's error when the file cannot be read.
 */
export async function digestFile(path: string, signal?: AbortSignal): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const file = await open(path, 'r');
  try {
    const hash = createHash('sha256');
    const { size } = await file.stat();
    const chunk = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK_BYTES, size)));
    let bytes = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(chunk, 0, chunk.length, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(chunk.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}
