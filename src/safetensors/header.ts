/**
 * The safetensors header: 8 bytes little-endian length, that many bytes of JSON, then the tensors'
 * bytes without holes. All is checked before any allocation: names, types, shapes, and that the
 * tensors tile the data.
 * @see https://github.com/huggingface/safetensors#format
 */
import { CutlayerError } from '../errors.js';
import { isSafetensorsDType, type SafetensorsDType, tensorBytes } from './dtype.js';
import { HeaderSyntaxError, type HeaderText, parseHeaderText } from './header-text.js';

/** The format's own bound on the header's length. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bytes before the header's text: its length. */
export const LENGTH_BYTES = 8;

const limits = { maxTensors: 1 << 18, maxRank: 16 };

export interface TensorInfo {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** Offset of its first byte from the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The length of the header's text, from a file's first 8 bytes.
 * @throws CutlayerError INVALID_SAFETENSORS
 */
export function headerLength(first: Uint8Array, fileBytes: number, label: string): number {
  if (first.length < LENGTH_BYTES) throw invalid(label, `expected at least ${LENGTH_BYTES} bytes, got ${first.length}`);
  if (Buffer.from(first).toString('latin1') === 'version ')
    throw invalid(label, 'this is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`');
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw invalid(label, `the header may have at most ${MAX_HEADER_BYTES} bytes, it claims ${length}`);
  if (length < 2n) throw invalid(label, `the header wants at least 2 bytes, it claims ${length}`);
  if (Number(length) + LENGTH_BYTES > fileBytes)
    throw invalid(label, `the header claims ${length} bytes, but the file has only ${fileBytes}: it is truncated`);
  return Number(length);
}

/** Parses and checks the text of a header. @throws CutlayerError INVALID_SAFETENSORS */
export function parseHeader(text: Uint8Array, fileBytes: number, label: string): SafetensorsHeader {
  const { entries, metadata } = parseText(text, label);
  const dataStart = LENGTH_BYTES + text.length;
  const tensors = new Map<string, TensorInfo>();
  for (const [name, { dtype, shape, offsets }] of entries) {
    if (!isSafetensorsDType(dtype)) throw invalid(label, `tensor ${name}: unknown dtype ${JSON.stringify(dtype.slice(0, 32))}`);
    const [begin, end] = offsets;
    if (begin === undefined || end === undefined) throw invalid(label, `tensor ${name}: expected two data_offsets, got ${offsets.length}`);
    const bytes = tensorBytes(dtype, shape);
    if (bytes === undefined)
      throw invalid(label, `tensor ${name}: ${dtype} [${shape.join(', ')}] is too large or no whole number of bytes`);
    if (end < begin || end - begin !== bytes)
      throw invalid(label, `tensor ${name}: ${dtype} [${shape.join(', ')}] takes ${bytes} bytes, data_offsets [${begin}, ${end}] do not`);
    tensors.set(name, { dtype, shape, offset: dataStart + begin, bytes });
  }
  checkTiling(tensors, dataStart, fileBytes, label);
  return { tensors, metadata };
}

function parseText(text: Uint8Array, label: string): HeaderText {
  if (text[0] !== 0x7b) throw invalid(label, "the header must begin with '{'; is this a safetensors file?");
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
  } catch (cause) {
    throw new CutlayerError('INVALID_SAFETENSORS', `${label}: the header is not valid UTF-8`, { cause });
  }
  try {
    return parseHeaderText(decoded, limits);
  } catch (cause) {
    if (cause instanceof HeaderSyntaxError) throw invalid(label, cause.message);
    throw cause;
  }
}

/** Tensors must cover the data from first byte to last, without holes and without overlap. */
function checkTiling(tensors: ReadonlyMap<string, TensorInfo>, dataStart: number, fileBytes: number, label: string): void {
  let at = dataStart;
  const inOrder = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  for (const [name, { offset, bytes }] of inOrder) {
    if (offset !== at) {
      throw invalid(
        label,
        `tensor ${name}: begins at byte ${offset}, ${offset < at ? 'inside another tensor' : 'after a hole'}; expected ${at}`,
      );
    }
    at += bytes;
  }
  if (at > fileBytes) throw invalid(label, `the tensors end at byte ${at}, but the file has only ${fileBytes}: it is truncated`);
  if (at < fileBytes)
    throw invalid(label, `the tensors end at byte ${at}, but the file has ${fileBytes}: what follows belongs to no tensor`);
}

function invalid(label: string, what: string): CutlayerError {
  return new CutlayerError('INVALID_SAFETENSORS', `${label}: ${what}`, { details: { file: label } });
}
