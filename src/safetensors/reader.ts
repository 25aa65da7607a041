/** Reads one safetensors file: a checked header, and tensors as float32 in bounded chunks. */
import { type FileHandle, open } from 'node:fs/promises';
import { CutlayerError } from '../errors.js';
import { zeros } from '../tensor/floats.js';
import { bf16ToF32, f16ToF32 } from '../tensor/half.js';
import type { Tensor } from '../tensor/tensor.js';
import { isWeightDType, weightBytes } from './dtype.js';
import { headerLength, LENGTH_BYTES, parseHeader, type SafetensorsHeader, type TensorInfo } from './header.js';

/** Elements converted at a time: 1 M, so 4 MB as float32 and at most 2 MB as stored. */
export const CHUNK_ELEMENTS = 1 << 20;

export interface SafetensorsFile extends SafetensorsHeader {
  readonly path: string;
  /**
   * A tensor's elements as float32, in order, in chunks of at most {@link CHUNK_ELEMENTS}. Each
   * chunk is valid until the next is requested, of this tensor or of one read after it.
   * @throws CutlayerError MISSING_TENSOR, UNSUPPORTED_CHECKPOINT (the type is no F32, F16 or BF16),
   *   INVALID_SAFETENSORS (the file shrank).
   */
  chunks(name: string, signal?: AbortSignal): AsyncGenerator<Float32Array>;
  /** A whole tensor as float32, of any size. @throws CutlayerError as {@link chunks} */
  read(name: string): Promise<Tensor<'float32'>>;
  close(): Promise<void>;
}

/** Opens and checks a file. @throws CutlayerError NOT_FOUND, IO_ERROR, INVALID_SAFETENSORS */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const first = await readExactly(file, Math.min(LENGTH_BYTES, size), 0, path);
    const text = await readExactly(file, headerLength(first, size, path), LENGTH_BYTES, path);
    const header = parseHeader(text, size, path);
    const spare = new ChunkBuffers();
    const pieces: SafetensorsFile['chunks'] = (name, signal) => chunks({ file, path, spare }, name, header.tensors.get(name), signal);
    return {
      ...header,
      path,
      chunks: pieces,
      async read(name) {
        const whole = zeros(header.tensors.get(name)?.shape ?? []);
        let at = 0;
        for await (const chunk of pieces(name)) {
          whole.data.set(chunk, at);
          at += chunk.length;
        }
        return whole;
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new CutlayerError(missing ? 'NOT_FOUND' : 'IO_ERROR', `${path}: ${missing ? 'no such file' : 'cannot be opened'}`, { cause });
  }
  throw new CutlayerError('IO_ERROR', `${path}: expected a regular file`);
}

async function readExactly(file: FileHandle, bytes: number, position: number, path: string): Promise<Uint8Array> {
  const buffer = new Uint8Array(bytes);
  await fill(file, buffer, position, path);
  return buffer;
}

async function fill(file: FileHandle, buffer: Uint8Array, position: number, path: string): Promise<void> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0)
      throw new CutlayerError('INVALID_SAFETENSORS', `${path}: ends at byte ${position + done}; it was cut while being read`);
    done += bytesRead;
  }
}

/** An open file and the buffers of its chunks. */
interface OpenFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly spare: ChunkBuffers;
}

/** Elements as stored and as float32; one array where they are stored as float32. */
interface ChunkBuffer {
  readonly wide: Float32Array;
  readonly narrow: Uint16Array | undefined;
}

/**
 * Buffers of tensors read to their end, for the next ones. Without them each tensor's buffers wait
 * for the garbage collector: on top of 6 MB a checkpoint's reading then held up to 100 MB.
 */
class ChunkBuffers {
  readonly #free: ChunkBuffer[] = [];

  take(length: number, halves: boolean): ChunkBuffer {
    const at = this.#free.findIndex(({ wide, narrow }) => wide.length >= length && (narrow !== undefined) === halves);
    if (at !== -1) return this.#free.splice(at, 1)[0]!;
    return { wide: new Float32Array(length), narrow: halves ? new Uint16Array(length) : undefined };
  }

  /** Keeps the two last ones: a comparison reads two tensors at a time. */
  give(buffer: ChunkBuffer): void {
    this.#free.push(buffer);
    if (this.#free.length > 2) this.#free.shift();
  }
}

async function* chunks(
  { file, path, spare }: OpenFile,
  name: string,
  info: TensorInfo | undefined,
  signal?: AbortSignal,
): AsyncGenerator<Float32Array> {
  if (info === undefined) throw new CutlayerError('MISSING_TENSOR', `${path}: holds no tensor ${name}`);
  const { dtype } = info;
  if (!isWeightDType(dtype)) {
    throw new CutlayerError(
      'UNSUPPORTED_CHECKPOINT',
      `${path}: tensor ${name} is ${dtype}; expected F32, F16 or BF16: save the model in one of those`,
    );
  }
  const width = weightBytes(dtype);
  const total = info.bytes / width;
  const length = Math.min(CHUNK_ELEMENTS, total);
  const buffer = spare.take(length, width === 2);
  const { wide, narrow } = buffer;
  try {
    for (let at = 0; at < total; at += length) {
      signal?.throwIfAborted();
      const count = Math.min(length, total - at);
      await fill(file, new Uint8Array((narrow ?? wide).buffer, 0, count * width), info.offset + at * width, path);
      if (narrow !== undefined) (dtype === 'F16' ? f16ToF32 : bf16ToF32)(narrow.subarray(0, count), wide);
      yield wide.subarray(0, count);
    }
  } finally {
    spare.give(buffer);
  }
}
