/** The rows of a data file: JSON lines, one JSON array, CSV with a header, or Parquet. */
import { open, readFile, stat } from 'node:fs/promises';
import { CutlayerError } from '../../../src/errors.js';
import { csvRows } from './csv.js';
import { parseExactJson } from './exact-numbers.js';
import { recordKeys } from './formats.js';
import { readLines } from './lines.js';
import { invalid } from './record-values.js';
import { parseLine } from './records.js';

/** One record of a file, not yet checked. */
export interface Row {
  /** Where it stands, for messages. */
  readonly source: string;
  /** Characters that it has in the file, about. */
  readonly characters: number;
  /** @throws CutlayerError INVALID_DATA */
  value(): unknown;
}

/** Fields that a cell may hold as JSON. */
const listNames: ReadonlySet<string> = new Set(['messages', 'conversations', 'tools', 'documents']);

/** Most bytes of a file that is read as a whole: an array, or CSV. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;

/** What a file that is no text begins with, and what to do. */
const packed: readonly (readonly [string, string])[] = [
  ['\x1f\x8b', 'a gzip file; unpack it with gunzip'],
  ['PK\x03\x04', 'a zip file; unpack it'],
  ['SQLite format 3', 'an SQLite database; write its rows as JSON lines'],
];

/**
 * Reads the rows of a file. JSON lines are streamed, and the row groups of Parquet one by one.
 * @throws CutlayerError NOT_FOUND, INVALID_DATA
 */
export async function* readRows(file: string): AsyncGenerator<Row> {
  const head = await headOf(file);
  const kind = packed.find(([magic]) => head.startsWith(magic));
  if (kind !== undefined)
    throw invalid(`${file}:1`, `expected JSON lines, a JSON array, CSV or Parquet; this is not valid UTF-8 but ${kind[1]}`);
  if (head.startsWith('PAR1')) {
    // Imported here: few files are Parquet.
    const { parquetRows } = await import('./parquet.js');
    for await (const { number, fields } of parquetRows(file, recordKeys)) {
      const source = `${file} row ${number}`;
      yield { source, characters: lengthOf(fields), value: () => withJson(fields, source) };
    }
  } else if (/\.csv$/i.test(file)) {
    for (const { line, fields } of csvRows(await whole(file), file))
      yield { source: `${file}:${line}`, characters: lengthOf(fields), value: () => withJson(fields, `${file}:${line}`) };
  } else if (/^(?:\u00ef\u00bb\u00bf)?\s*\[/.test(head)) {
    for (const [at, item] of (await arrayOf(file)).entries())
      yield { source: `${file} item ${at + 1}`, characters: lengthOf(item), value: () => item };
  } else {
    for await (const { number, text } of readLines(file)) {
      if (text.trim() === '') continue;
      const source = `${file}:${number}`;
      yield { source, characters: text.length, value: () => parseLine(text, source) };
    }
  }
}

/** The first bytes, a character each; nothing of a file that cannot be read: reading says why. */
async function headOf(file: string): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead).toString('latin1');
  } catch {
    return '';
  } finally {
    await handle.close();
  }
}

async function whole(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MAX_WHOLE_BYTES)
    throw invalid(
      file,
      `${size} bytes; an array or CSV is read as a whole and may have ${MAX_WHOLE_BYTES}; write JSON lines, which are streamed`,
    );
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    throw invalid(file, 'not valid UTF-8; save the file as UTF-8', cause);
  }
}

async function arrayOf(file: string): Promise<readonly unknown[]> {
  const text = await whole(file);
  try {
    return parseExactJson(text) as readonly unknown[]; // it begins with [
  } catch (cause) {
    const position = Number(/position (\d+)/.exec(cause instanceof Error ? cause.message : '')?.[1] ?? Number.NaN);
    if (text.charAt(position) === '[' && isWhole(text.slice(0, position)))
      throw invalid(
        `${file}:1`,
        'expected an object, got an array: each line is a list; write one object per line, or one array of objects',
        cause,
      );
    const lines = text.slice(0, position).split('\n');
    const place = Number.isNaN(position) ? '' : ` (line ${lines.length}, character ${lines.at(-1)!.length + 1})`;
    throw invalid(file, `begins with [ but is no JSON array${place}`, cause);
  }
}

function isWhole(text: string): boolean {
  try {
    parseExactJson(text);
    return true;
  } catch {
    return false;
  }
}

/** Lists in cells of text are JSON. */
function withJson(fields: Readonly<Record<string, unknown>>, where: string): Readonly<Record<string, unknown>> {
  const entries = Object.entries(fields).map(([name, cell]) => {
    if (typeof cell !== 'string' || !listNames.has(name) || !cell.trimStart().startsWith('[')) return [name, cell];
    try {
      return [name, parseExactJson(cell)];
    } catch (cause) {
      throw new CutlayerError('INVALID_DATA', `${where}: ${name}: not a JSON list`, { cause });
    }
  });
  return Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  return typeof value === 'object' && value !== null ? Object.values(value).reduce<number>((sum, item) => sum + lengthOf(item), 0) : 8;
}
