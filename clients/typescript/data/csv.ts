/** Comma-separated values with a header. @see RFC 4180 */
import { invalid } from './record-values.js';

/** A row as an object, by the header's names. */
export interface CsvRow {
  /** The line that it begins on. */
  readonly line: number;
  readonly fields: Readonly<Record<string, string>>;
}

/** @throws CutlayerError INVALID_DATA naming file and line */
export function* csvRows(text: string, file: string): Generator<CsvRow> {
  let header: readonly string[] | undefined;
  for (const { line, cells } of records(text, file)) {
    if (cells.length === 1 && cells[0] === '') continue;
    if (header === undefined) {
      header = namesOf(cells, `${file}:${line}`);
      continue;
    }
    if (cells.length !== header.length)
      throw invalid(
        `${file}:${line}`,
        `expected ${header.length} cells (${header.join(', ')}), got ${cells.length}; quote cells with commas`,
      );
    yield { line, fields: Object.fromEntries(header.map((name, at) => [name, cells[at]!])) };
  }
}

function namesOf(cells: readonly string[], where: string): readonly string[] {
  const names = cells.map((cell) => cell.trim());
  if (names.length === 1 && /[;\t]/.test(names[0]!)) throw invalid(where, 'a header without commas; separate cells by commas');
  if (names.includes('') || new Set(names).size !== names.length) throw invalid(where, 'expected a header with a name for each column');
  return names;
}

function* records(text: string, file: string): Generator<{ readonly line: number; readonly cells: readonly string[] }> {
  const stop = /[,\r\n]/g;
  let line = 1;
  let at = 0;
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    for (;;) {
      let cell = '';
      if (text[at] === '"') {
        // A quoted cell ends at a quote that no other follows.
        for (at++; ; at++) {
          const end = text.indexOf('"', at);
          if (end < 0) throw invalid(`${file}:${start}`, 'a quoted cell without its closing quote');
          cell += text.slice(at, end);
          at = end + 1;
          if (text[at] !== '"') break;
          cell += '"';
        }
        line += cell.split('\n').length - 1;
      } else {
        stop.lastIndex = at;
        const end = stop.exec(text)?.index ?? text.length;
        cell = text.slice(at, end);
        at = end;
      }
      cells.push(cell);
      if (text[at] !== ',') break;
      at++;
    }
    if (at < text.length && text[at] !== '\r' && text[at] !== '\n')
      throw invalid(`${file}:${line}`, 'text after a quoted cell; quote a quote as ""');
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    yield { line: start, cells };
  }
}
