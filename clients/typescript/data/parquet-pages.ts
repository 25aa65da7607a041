/**
 * Checks of a Parquet column's pages before they are decoded. The decoder takes what a page says of
 * itself: the lengths of its runs, and of the parts of its texts. Here each of them is held to the
 * page's values and to the column's bytes. So decoding takes the time and memory of an honest file.
 * @see apache/parquet-format, Encodings.md
 */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { AsyncBuffer, ColumnMetaData, PageHeader, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getTreePath } from 'hyparquet/src/schema.js';
import { readVarInt } from 'hyparquet/src/thrift.js';
import { compressors, decompressZstd } from 'hyparquet-compressors';

/** Most bytes of the columns of a row group, unpacked, and most values of one column in it. */
export const MAX_GROUP_BYTES = 512 << 20;
export const MAX_GROUP_VALUES = 1 << 24;

/** Values that a run of packed bits may have beyond the page's: writers fill its last groups. */
const PACKED_SURPLUS = 512;

/** Unpacks no more than the page says, which is checked. */
export const boundedCompressors: typeof compressors = {
  ...compressors,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
};

interface Reader {
  readonly view: DataView;
  offset: number;
}

/** What the pages of a column have in common. */
interface Leaf {
  readonly column: ColumnMetaData;
  /** Highest repetition and definition level. */
  readonly repetition: number;
  readonly definition: number;
}

/**
 * Holds each page of a column to the column's sizes, and its runs to its values.
 * @param tree The file's schema
 * @throws RangeError saying what is damaged; the decoder's own errors
 */
export async function checkPages(source: AsyncBuffer, column: ColumnMetaData, tree: SchemaTree): Promise<void> {
  const {
    data_page_offset: data,
    dictionary_page_offset: dictionary,
    total_compressed_size: packed,
    total_uncompressed_size: size,
    path_in_schema: names,
  } = column;
  if (packed > MAX_GROUP_BYTES)
    throw new RangeError(`a column of ${packed} bytes, the most is ${MAX_GROUP_BYTES}; write smaller row groups`);
  const path = getTreePath(tree, names);
  const leaf = { column, repetition: getMaxRepetitionLevel(path), definition: getMaxDefinitionLevel(path) };
  const start = Number(dictionary !== undefined && dictionary > 0 && dictionary < data ? dictionary : data);
  const view = new DataView(await source.slice(start, start + Number(packed)));
  const reader = { view, offset: 0 };
  let [values, bytes] = [0, 0];
  while (reader.offset < view.byteLength - 1) {
    const header = parquetHeader(reader);
    if (!(header.compressed_page_size >= 0 && header.uncompressed_page_size >= 0)) throw new RangeError('a page without a size');
    bytes += header.uncompressed_page_size;
    const count = (header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header)?.num_values ?? 0;
    values += count;
    if (!(count >= 0 && values <= MAX_GROUP_VALUES && bytes <= Math.min(Number(size), MAX_GROUP_BYTES)))
      throw new RangeError(`pages of ${bytes} bytes and ${values} values, which is more than the file or this program allows`);
    checkRuns(new Uint8Array(view.buffer, reader.offset, header.compressed_page_size), header, leaf);
    reader.offset += header.compressed_page_size;
  }
}

/** Holds the runs of a page to its values. */
function checkRuns(bytes: Uint8Array, header: PageHeader, leaf: Leaf): void {
  if (header.type === 'DATA_PAGE' && header.data_page_header !== undefined) {
    const { num_values: count, encoding } = header.data_page_header;
    if (leaf.repetition === 0 && leaf.definition === 0 && encoding === 'PLAIN') return;
    const reader = readerOf(decompressPage(bytes, header.uncompressed_page_size, leaf.column.codec, boundedCompressors));
    if (leaf.repetition > 0) skipRuns(reader, bitWidth(leaf.repetition), count);
    const nulls = leaf.definition > 0 ? nullsOf(reader, leaf.definition, count) : 0;
    const isFlags = leaf.column.type === 'BOOLEAN';
    // The decoder reads no runs of this version where all values are the dictionary's first.
    if (encoding.endsWith('_DICTIONARY') && !isFlags && reader.view.getUint8(reader.offset) === 0) return;
    checkValues(reader, encoding, count - nulls, isFlags);
    return;
  }
  if (header.type !== 'DATA_PAGE_V2' || header.data_page_header_v2 === undefined) return;
  const page = header.data_page_header_v2;
  const {
    num_values: count,
    num_nulls: nulls,
    repetition_levels_byte_length: repetitions,
    definition_levels_byte_length: definitions,
  } = page;
  if (!(nulls >= 0 && nulls <= count)) throw new RangeError(`a page of ${count} values, ${nulls} of them null`);
  if (!(repetitions >= 0 && definitions >= 0 && repetitions + definitions <= bytes.length))
    throw new RangeError('levels that are longer than their page');
  const levels = readerOf(bytes);
  if (leaf.repetition > 0) checkHybrid(levels, bitWidth(leaf.repetition), count);
  levels.offset = repetitions;
  if (leaf.definition > 0) checkHybrid(levels, bitWidth(leaf.definition), count);
  if (page.encoding === 'PLAIN') return;
  const length = header.uncompressed_page_size - repetitions - definitions;
  const rest = bytes.subarray(repetitions + (leaf.definition > 0 ? definitions : 0));
  const isPacked = page.is_compressed !== false && length !== 0;
  const values = isPacked ? decompressPage(rest, length, leaf.column.codec, boundedCompressors) : rest;
  checkValues(readerOf(values), page.encoding, count - nulls, page.encoding === 'RLE');
}

/** @param isFlags Whether the values are one bit each, whose runs' length comes first */
function checkValues(reader: Reader, encoding: string, count: number, isFlags: boolean): void {
  switch (encoding) {
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY':
    case 'RLE': {
      const width = isFlags ? 1 : reader.view.getUint8(reader.offset++);
      if (isFlags) reader.offset += 4;
      checkHybrid(reader, width, count);
      return;
    }
    case 'DELTA_BYTE_ARRAY': {
      const [kept, added] = [new Int32Array(count), new Int32Array(count)];
      deltaBinaryUnpack(reader, count, kept);
      deltaBinaryUnpack(reader, count, added);
      const bytes = kept.reduce((sum, length, at) => (length >= 0 && added[at]! >= 0 ? sum + length + added[at]! : Number.NaN), 0);
      if (!(bytes <= MAX_GROUP_BYTES))
        throw new RangeError(`texts of a page that share parts: ${bytes} bytes, the most is ${MAX_GROUP_BYTES}`);
    }
  }
}

/**
 * Holds the runs of `count` values to them: repeated ones have no more, and ones of packed bits
 * fill their last groups at most.
 */
function checkHybrid({ view, offset }: Reader, width: number, count: number): void {
  const reader = { view, offset };
  for (let seen = 0; seen < count; ) {
    const header = readVarInt(reader);
    const isPacked = (header & 1) === 1;
    const run = isPacked ? (header >>> 1) * 8 : header >>> 1;
    const left = count - seen;
    if (run > left + (isPacked ? PACKED_SURPLUS : 0)) throw new RangeError(`a run of ${run} values where ${left} are left`);
    reader.offset += isPacked ? (run / 8) * width : (width + 7) >> 3;
    seen += run;
  }
}

/** Levels of a page of the first version, whose length comes first. */
function skipRuns(reader: Reader, width: number, count: number): void {
  const start = reader.offset + 4;
  checkHybrid({ view: reader.view, offset: start }, width, count);
  reader.offset = start + reader.view.getUint32(reader.offset, true);
}

/** Values of the page that are null; they are not written. */
function nullsOf(reader: Reader, highest: number, count: number): number {
  const levels = new Array<number>(count);
  const { view, offset } = reader;
  skipRuns(reader, bitWidth(highest), count);
  readRleBitPackedHybrid({ view, offset }, bitWidth(highest), levels);
  return levels.reduce((sum, level) => (level === highest ? sum : sum + 1), 0);
}

const readerOf = (bytes: Uint8Array): Reader => ({ view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 });

const bitWidth = (value: number): number => 32 - Math.clz32(value);
