/** Small safetensors files as whole tensors in memory: adapters, optimizer state, fixtures. */
import { readFile, stat } from 'node:fs/promises';
import { CutlayerError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { dtypes } from '../tensor/dtype.js';
import { bf16ToF32, f16ToF32 } from '../tensor/half.js';
import { dataArrays, isTensorDType, type Tensor } from '../tensor/tensor.js';
import { headerLength, LENGTH_BYTES, parseHeader, type TensorInfo } from './header.js';
import { layOut } from './layout.js';

const MAX_BYTES = 1 << 30;

export interface TensorsFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a file of at most 1 GiB. F16 and BF16 are widened to float32.
 * @throws CutlayerError NOT_FOUND, LIMIT_EXCEEDED, INVALID_SAFETENSORS, INVALID_DTYPE (a type
 *   without an in-memory tensor)
 */
export async function readTensors(path: string): Promise<TensorsFile> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${path}: no such file`, { cause });
  });
  if (found.size > MAX_BYTES)
    throw new CutlayerError('LIMIT_EXCEEDED', `${path}: may have at most ${MAX_BYTES} bytes, it has ${found.size}`);
  return decodeTensors(await readFile(path), path);
}

/**
 * Parses the bytes of a file.
 * @param label the file's name, for messages.
 * @throws CutlayerError INVALID_SAFETENSORS, INVALID_DTYPE
 */
export function decodeTensors(bytes: Uint8Array, label: string): TensorsFile {
  const length = headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length, label);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, label);
  const tensors = new Map<string, Tensor>();
  for (const [name, info] of header.tensors) tensors.set(name, decode(bytes, name, info, label));
  return { tensors, metadata: header.metadata };
}

function decode(file: Uint8Array, name: string, { dtype, shape, offset, bytes }: TensorInfo, label: string): Tensor {
  const buffer = file.buffer.slice(file.byteOffset + offset, file.byteOffset + offset + bytes); // a copy: aligned
  if (dtype === 'F16' || dtype === 'BF16') {
    const data = new Float32Array(bytes / 2);
    (dtype === 'F16' ? f16ToF32 : bf16ToF32)(new Uint16Array(buffer), data);
    return { dtype: 'float32', shape, data };
  }
  const held = Object.keys(dataArrays)
    .filter(isTensorDType)
    .find((candidate) => dtypes[candidate].safetensors === dtype);
  if (held !== undefined) return { dtype: held, shape, data: new dataArrays[held](buffer) };
  throw new CutlayerError('INVALID_DTYPE', `${label}: tensor ${name} is ${dtype}; expected F32, F64, F16, BF16, I64 or I32`);
}

/** The bytes of a file that holds these tensors, in this order. */
export function encodeTensors(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const specs = Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype: dtypes[dtype].safetensors, shape }));
  const layout = layOut(specs, { metadata });
  const bytes = new Uint8Array(layout.bytes);
  bytes.set(layout.head);
  for (const [name, { data }] of Object.entries(tensors)) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), layout.tensors.get(name)!.offset);
  }
  return bytes;
}

/** Writes a file that appears whole or not at all. */
export async function writeTensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, encodeTensors(tensors, metadata));
}
