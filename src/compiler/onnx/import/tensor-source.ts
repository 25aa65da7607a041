/** Tensors in the model file, in a file beside it, or in memory: checked, then read in chunks. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CutlayerError } from '../../../errors.js';
import { type DType, dtypes } from '../../../tensor/dtype.js';
import { bf16ToF32, f16ToF32 } from '../../../tensor/half.js';
import type { TensorProto } from './proto.js';
import type { FileRange } from './scan.js';

export interface TensorSource {
  readonly name: string;
  readonly stored: DType;
  /** Element type in graphs: 16-bit floats are computed as float32. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly data: FileRange | Uint8Array;
}

const CHUNK_ELEMENTS = 1 << 20;
const MAX_ELEMENTS = 2 ** 40;
const MAX_RANK = 16;

const byOnnx = new Map<number, DType>(Object.entries(dtypes).map(([name, { onnx }]) => [onnx, name as DType]));

/** The element type of a `TensorProto.DataType`, or undefined if Cutlayer has none. */
export function storedDType(onnx: number): DType | undefined {
  return byOnnx.get(onnx);
}

/** The element type that replaces a stored one in computations. */
export function computedDType(stored: DType): DType {
  return stored === 'float16' || stored === 'bfloat16' ? 'float32' : stored;
}

/** Opens tensors of one model file; remembers the sizes of the files beside it. */
export class TensorSources {
  private readonly sizes = new Map<string, Promise<number>>();

  constructor(private readonly modelPath: string) {}

  /**
   * Checks a tensor's type, dims and place.
   * @param inFile where the model file holds the elements, unless they were decoded.
   * @throws CutlayerError INVALID_ONNX
   */
  async open(proto: TensorProto, name: string, inFile?: FileRange): Promise<TensorSource> {
    const fail = (why: string) => new CutlayerError('INVALID_ONNX', `${this.modelPath}: tensor "${name.slice(0, 200)}": ${why}`);
    const stored = storedDType(proto.data_type);
    if (stored === undefined)
      throw fail(`expected one of ${Object.keys(dtypes).join(', ')}; got ONNX's element type ${proto.data_type}; export in float32`);
    const shape = [...proto.dims];
    const elements = shape.reduce((product, dim) => product * dim, 1);
    if (shape.length > MAX_RANK || !shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || elements > MAX_ELEMENTS)
      throw fail(`expected dims that a tensor can have, got [${shape.slice(0, MAX_RANK).join(', ')}]`);
    if (proto.segment !== null) throw fail('tensors in segments are not read');
    const bytes = elements * dtypes[stored].bytes;
    const data = proto.data_location === 1 ? await this.external(proto, bytes, fail) : (inFile ?? inlineBytes(proto, stored));
    if (data.length !== bytes) throw fail(`expected ${bytes} bytes for ${stored} [${shape.join(', ')}], got ${data.length}`);
    return { name, stored, dtype: computedDType(stored), shape, elements, data };
  }

  private async external(proto: TensorProto, bytes: number, fail: (why: string) => CutlayerError): Promise<FileRange> {
    const entries = new Map(proto.external_data.map(({ key, value }) => [key, value]));
    const location = entries.get('location') ?? '';
    if (!isPlainPath(location)) {
      throw fail(`location: expected a file below the model's directory, got ${JSON.stringify(location.slice(0, 100))}`);
    }
    const number = (key: string, otherwise: number): number => {
      const text = entries.get(key);
      if (text === undefined) return otherwise;
      const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
      if (!Number.isSafeInteger(value)) throw fail(`${key}: expected a number of bytes, got ${JSON.stringify(text.slice(0, 40))}`);
      return value;
    };
    const path = join(dirname(this.modelPath), location);
    const size = this.sizes.get(path) ?? sizeOf(path);
    this.sizes.set(path, size);
    const offset = number('offset', 0);
    const length = number('length', bytes);
    const found = await size;
    if (found < 0) throw fail(`its elements should lie in ${location}, which is not beside the model; copy both files together`);
    if (offset + length > found) throw fail(`expected ${length} bytes at ${offset} of ${location}, which has ${found}`);
    return { path, offset, length };
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? found.size : -1;
}

function isPlainPath(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (path === '' || path.length > 1024 || /[\\:\u0000-\u001f]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '..');
}

/** The elements in the message itself, in memory layout. */
function inlineBytes(proto: TensorProto, stored: DType): Uint8Array {
  if (proto.raw_data.length > 0) return proto.raw_data;
  const { int32_data: ints } = proto;
  switch (stored) {
    case 'float32':
      return bytesOf(Float32Array.from(proto.float_data));
    case 'float64':
      return bytesOf(Float64Array.from(proto.double_data));
    case 'int64':
      return bytesOf(BigInt64Array.from(proto.int64_data, saturated));
    case 'int32':
      return bytesOf(Int32Array.from(ints));
    case 'float16':
    case 'bfloat16':
      return bytesOf(Uint16Array.from(ints));
    default:
      return Uint8Array.from(ints);
  }
}

const saturated = (value: number): bigint => (value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value));

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/**
 * The elements of a tensor in its computed type, chunk by chunk, as bytes.
 * @throws CutlayerError INVALID_ONNX when the file has become shorter; AbortError when the signal
 *   fires.
 */
export async function* readChunks(source: TensorSource, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const { data, elements, stored } = source;
  const width = dtypes[stored].bytes;
  const file = data instanceof Uint8Array ? undefined : await open(data.path, 'r');
  try {
    for (let first = 0; first < elements; first += CHUNK_ELEMENTS) {
      signal?.throwIfAborted();
      const count = Math.min(CHUNK_ELEMENTS, elements - first);
      const bytes =
        file === undefined
          ? (data as Uint8Array).slice(first * width, (first + count) * width)
          : await readRange(file, source, first, count);
      yield widened(bytes, stored);
    }
  } finally {
    await file?.close();
  }
}

async function readRange(file: FileHandle, { data, name, stored }: TensorSource, first: number, count: number): Promise<Uint8Array> {
  const { offset, path } = data as FileRange;
  const width = dtypes[stored].bytes;
  const bytes = new Uint8Array(count * width);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, offset + first * width + done);
    if (bytesRead === 0) throw new CutlayerError('INVALID_ONNX', `${path}: ended while tensor "${name}" was read`);
    done += bytesRead;
  }
  return bytes;
}

function widened(bytes: Uint8Array, stored: DType): Uint8Array {
  if (stored !== 'float16' && stored !== 'bfloat16') return bytes;
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const wide = new Float32Array(halves.length);
  (stored === 'float16' ? f16ToF32 : bf16ToF32)(halves, wide);
  return bytesOf(wide);
}

/** All elements of a small tensor, in its computed type. */
export async function readWhole(source: TensorSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readChunks(source)) chunks.push(chunk);
  return Uint8Array.from(Buffer.concat(chunks));
}
