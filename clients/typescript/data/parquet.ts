/**
 * Rows of a Parquet file. One row group is in memory at a time. What the file says of its sizes is
 * checked before anything is decoded. Columns that no record reads are not read.
 * @see apache/parquet-format
 */
import { type FileHandle, open } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { compressors, decompressZstd } from 'hyparquet-compressors';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { plainValue } from './parquet-values.js';
import { invalid } from './record-values.js';

export interface ParquetRow {
  /** Counted from 1. */
  readonly number: number;
  /** Null where the column is not read. */
  readonly fields: Readonly<Record<string, unknown>>;
}

type RowGroup = FileMetaData['row_groups'][number];

/** Most bytes of a file's description of itself, and of the columns of a row group, unpacked. */
const MAX_METADATA_BYTES = 64 << 20;
const MAX_GROUP_BYTES = 512 << 20;
/** Most values of a row group's column. */
const MAX_GROUP_VALUES = 1 << 24;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param wanted Columns that are read, where there are any of them.
 * @throws CutlayerError INVALID_DATA naming the file and rows, NOT_FOUND
 */
export async function* parquetRows(file: string, wanted: ReadonlySet<string>): AsyncGenerator<ParquetRow> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new CutlayerError('NOT_FOUND', `${file}: no such data file (or it cannot be read)`, { cause });
  });
  try {
    const source = await sourceOf(handle);
    const metadata = await orInvalid(file, async () => {
      await checkFooter(source);
      return parquetMetadataAsync(source, { geoparquet: false });
    });
    const tree = await orInvalid(file, async () => parquetSchema(metadata));
    const names = tree.children.map(({ element }) => element.name);
    const columns = names.filter((name) => wanted.has(name));
    if (columns.length === 0)
      throw invalid(
        file,
        `no column of a record (such as prompt, completion, messages, text); the columns are: ${names.slice(0, 8).join(', ') || 'none'}`,
      );
    const unread = names.filter((name) => !wanted.has(name)).map((name) => [name, null] as const);
    const nodes = new Map(tree.children.map((node) => [node.element.name, node]));
    let first = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = first + Number(group.num_rows);
      const where = `${file} rows ${first + 1} to ${rowEnd}`;
      const rows = await orInvalid(where, async () => {
        for (const column of group.columns)
          if (columns.includes(column.meta_data?.path_in_schema[0] ?? '')) await checkPages(source, column);
        checkGroup(group, columns);
        return parquetReadObjects({
          file: source,
          metadata,
          columns,
          rowStart: first,
          rowEnd,
          compressors: bounded,
          parsers,
          geoparquet: false,
        });
      });
      if (rows.length !== rowEnd - first) throw invalid(where, `a damaged Parquet file: it holds ${rows.length} of them`);
      for (const [at, row] of rows.entries()) {
        const number = first + at + 1;
        const read = columns.map((name) => [name, plainValue(row[name], nodes.get(name)!, `${file} row ${number}`, name)] as const);
        yield { number, fields: Object.fromEntries([...unread, ...read]) };
      }
      first = rowEnd;
    }
  } finally {
    await handle.close();
  }
}

async function sourceOf(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  return {
    byteLength: size,
    async slice(start, end = size) {
      if (!(start >= 0 && start <= end && end <= size && end - start <= MAX_GROUP_BYTES))
        throw new RangeError('a part outside of the file');
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
      if (bytesRead !== bytes.length) throw new RangeError('the file ends early');
      return bytes.buffer;
    },
  };
}

async function checkFooter(source: AsyncBuffer): Promise<void> {
  if (source.byteLength < 12) throw new RangeError('the file is too short');
  const length = new DataView(await source.slice(source.byteLength - 8, source.byteLength)).getUint32(0, true);
  if (length > MAX_METADATA_BYTES) throw new RangeError(`its description has ${length} bytes, the most is ${MAX_METADATA_BYTES}`);
}

/** What a row group's columns unpack to, together. */
function checkGroup({ num_rows, columns }: RowGroup, names: readonly string[]): void {
  const read = columns.flatMap(({ meta_data: column }) =>
    column !== undefined && names.includes(column.path_in_schema[0] ?? '') ? [column] : [],
  );
  const bytes = read.reduce((sum, { total_uncompressed_size: size }) => sum + Number(size), 0);
  if (bytes > MAX_GROUP_BYTES)
    throw new RangeError(`a row group of ${bytes} bytes, the most is ${MAX_GROUP_BYTES}; write smaller row groups`);
  if (num_rows > MAX_GROUP_VALUES)
    throw new RangeError(`a row group of ${num_rows} rows, the most is ${MAX_GROUP_VALUES}; write smaller row groups`);
}

/** Holds each page of a column to the column's sizes: decoding takes what a page says of itself. */
async function checkPages(source: AsyncBuffer, { meta_data: column }: RowGroup['columns'][number]): Promise<void> {
  if (column === undefined) throw new RangeError('a column without its description');
  const {
    data_page_offset: data,
    dictionary_page_offset: dictionary,
    total_compressed_size: packed,
    total_uncompressed_size: size,
  } = column;
  if (packed > MAX_GROUP_BYTES)
    throw new RangeError(`a column of ${packed} bytes, the most is ${MAX_GROUP_BYTES}; write smaller row groups`);
  const start = Number(dictionary !== undefined && dictionary > 0 && dictionary < data ? dictionary : data);
  const view = new DataView(await source.slice(start, start + Number(packed)));
  const reader = { view, offset: 0 };
  let [values, bytes] = [0, 0];
  while (reader.offset < view.byteLength - 1) {
    const header = parquetHeader(reader);
    if (!(header.compressed_page_size >= 0 && header.uncompressed_page_size >= 0)) throw new RangeError('a page without a size');
    reader.offset += header.compressed_page_size;
    bytes += header.uncompressed_page_size;
    values += (header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header)?.num_values ?? 0;
    if (!(values >= 0 && values <= MAX_GROUP_VALUES && bytes <= Math.min(Number(size), MAX_GROUP_BYTES)))
      throw new RangeError(`pages of ${bytes} bytes and ${values} values, which is more than the file or this program allows`);
  }
}

/** Unpacks no more than the page says, which was checked. */
const bounded: typeof compressors = {
  ...compressors,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
};

const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && strict.decode(bytes),
  jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && parseJson(strict.decode(bytes)),
};

/** An error of the package, or of a check, in the project's class. */
async function orInvalid<T>(where: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(where, `cannot be read as Parquet: ${reason.slice(0, 200)}`, cause);
  }
}
