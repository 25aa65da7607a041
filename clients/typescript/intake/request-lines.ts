/** The body of a request as lines of JSON: one object, a list of objects, or JSON lines. */
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';

/** Most examples of one request. */
export const MAX_EXAMPLES_PER_REQUEST = 10_000;

const jsonLines: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/jsonl',
  'application/x-jsonlines',
  'application/jsonlines',
]);

/**
 * @param contentType Header of that name: `application/json`, or one of those for JSON lines.
 * @returns each without a line end in it; of JSON lines they need not be JSON
 * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function requestLines(body: Uint8Array, contentType: string | undefined): readonly string[] {
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  const lines = jsonLines.has(type) ? splitLines(text(body)) : type === 'application/json' ? jsonItems(text(body)) : undefined;
  if (lines === undefined) {
    throw new CutlayerError(
      'INVALID_ARGUMENT',
      'content-type: expected application/json (an object or a list of objects) or application/x-ndjson (one object per line)',
    );
  }
  if (lines.length === 0) throw new CutlayerError('INVALID_ARGUMENT', 'body: expected at least one example');
  if (lines.length > MAX_EXAMPLES_PER_REQUEST) {
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `body: expected at most ${MAX_EXAMPLES_PER_REQUEST} examples in one request, got ${lines.length}`,
    );
  }
  return lines;
}

function text(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new CutlayerError('INVALID_ARGUMENT', 'body: expected UTF-8');
  }
}

function splitLines(body: string): readonly string[] {
  return body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function jsonItems(body: string): readonly string[] {
  let value: unknown;
  try {
    value = parseJson(body);
  } catch {
    // The parser's own message quotes the body.
    throw new CutlayerError('INVALID_ARGUMENT', 'body: not JSON; for one object per line, say content-type application/x-ndjson');
  }
  return (Array.isArray(value) ? value : [value]).map((item: unknown) => JSON.stringify(item));
}
