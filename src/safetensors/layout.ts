/** The layout of a safetensors file before it is written: its header and every tensor's offset. */
import { CutlayerError } from '../errors.js';
import { type SafetensorsDType, tensorBytes } from './dtype.js';
import { LENGTH_BYTES, type TensorInfo } from './header.js';

export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

export interface SafetensorsLayout {
  /** Length and header, up to the first byte of data. */
  readonly head: Uint8Array;
  /** Tensors in file order, with offsets from the start of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly bytes: number;
}

/**
 * Lays tensors out in the given order, without holes.
 * @param alignment the data begins at a multiple of this; the header is padded with spaces, as the
 *   format allows.
 * @throws CutlayerError INVALID_SAFETENSORS for a repeated name or a tensor that is too large.
 */
export function layOut(
  specs: readonly TensorSpec[],
  { alignment = 8, metadata = {} }: { readonly alignment?: number; readonly metadata?: Readonly<Record<string, string>> } = {},
): SafetensorsLayout {
  const entries: [string, unknown][] = [['__metadata__', { format: 'pt', ...metadata }]];
  const relative: [string, TensorInfo][] = [];
  const seen = new Set(['__metadata__']);
  let end = 0;
  for (const { name, dtype, shape } of specs) {
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined || seen.has(name))
      throw new CutlayerError('INVALID_SAFETENSORS', `layout: tensor ${name} ${bytes === undefined ? 'is too large' : 'occurs twice'}`);
    seen.add(name);
    entries.push([name, { dtype, shape, data_offsets: [end, end + bytes] }]);
    relative.push([name, { dtype, shape, offset: end, bytes }]);
    end += bytes;
  }
  // entries are joined by hand: object keys would lose "__proto__" and reorder integer-like names
  const json = Buffer.from(`{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`);
  const dataStart = Math.ceil((LENGTH_BYTES + json.length) / alignment) * alignment;
  const head = Buffer.alloc(dataStart, ' ');
  head.writeBigUInt64LE(BigInt(dataStart - LENGTH_BYTES), 0);
  json.copy(head, LENGTH_BYTES);
  const tensors = new Map(relative.map(([name, info]) => [name, { ...info, offset: dataStart + info.offset }]));
  return { head, tensors, bytes: dataStart + end };
}
