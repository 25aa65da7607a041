/**
 * Rows of a Parquet file. One row group is in memory at a time. What the file says of its sizes and
 * runs is checked before anything is decoded. Columns that no record reads are not read.
 * @see apache/parquet-format
 */
import { type FileHandle, open } from 'node:fs/promises';
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects, parquetSchema, type SchemaTree } from 'hyparquet';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { boundedCompressors, checkPages, MAX_GROUP_BYTES, MAX_GROUP_VALUES } from './parquet-pages.js';
import { plainValue } from './parquet-values.js';
import { invalid } from './record-values.js';

export interface ParquetRow {
  /** Counted from 1. */
  readonly number: number;
  /** Null where the column is not read. */
  readonly fields: Readonly<Record<string, unknown>>;
}

type RowGroup = FileMetaData['row_groups'][number];

/** Most bytes of a file's description of itself. */
const MAX_METADATA_BYTES = 64 << 20;

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
    for (const [index, group] of metadata.row_groups.entries()) {
      const rowEnd = first + Number(group.num_rows);
      const where = `${file} rows ${first + 1} to ${rowEnd}`;
      await orInvalid(where, async () => checkGroup(group, columns));
      const values = new Map<string, readonly unknown[]>();
      for (const name of columns) {
        const read = async () => {
          await checkColumn(source, group, name, tree);
          const rows = await parquetReadObjects({ ...reading, file: source, metadata, columns: [name], rowStart: first, rowEnd });
          if (rows.length !== rowEnd - first) throw new RangeError(`it holds ${rows.length} of these rows`);
          return rows.map((row) => row[name]);
        };
        values.set(name, await orInvalid(where, read, `row group ${index + 1}, column ${name}: `));
      }
      for (let at = 0; at < rowEnd - first; at++) {
        const number = first + at + 1;
        const read = columns.map(
          (name) => [name, plainValue(values.get(name)![at], nodes.get(name)!, `${file} row ${number}`, name)] as const,
        );
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

/** Checks the pages of a column, and of the columns within it. */
async function checkColumn(source: AsyncBuffer, { columns }: RowGroup, name: string, tree: SchemaTree): Promise<void> {
  for (const { meta_data: column } of columns) {
    if (column === undefined) throw new RangeError('a column without its description');
    if (column.path_in_schema[0] === name) await checkPages(source, column, tree);
  }
}

const parsers = {
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes && strict.decode(bytes),
  jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && parseJson(strict.decode(bytes)),
};

const reading = { compressors: boundedCompressors, parsers, geoparquet: false } as const;

/** An error of the package, or of a check, in the project's class. */
async function orInvalid<T>(where: string, body: () => Promise<T>, part = ''): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof CutlayerError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(where, `cannot be read as Parquet: ${part}${reason.slice(0, 200)}`, cause);
  }
}
