/** YAML from outside, as plain values. */
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';

const MAX_DEPTH = 64;
/** Levels that a text may seem to have before it is parsed: brackets in strings are counted too. */
const MAX_APPARENT_DEPTH = 4 * MAX_DEPTH;

/**
 * The value of a text; null for an empty one.
 * @throws SyntaxError with a message of one line: no YAML, an alias that has no value or no end,
 *   too many aliases, values nested too deeply
 */
export function parseYaml(text: string): unknown {
  // The parser recurses: near the end of the stack V8 may end the process, where no error is
  // caught.
  if (apparentDepth(text) > MAX_APPARENT_DEPTH) throw new SyntaxError('nested too deeply');
  let value: unknown;
  try {
    // Its warnings would quote the text on the terminal.
    const document = parseDocument(text, { logLevel: 'error' });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    value = document.toJS();
  } catch (cause) {
    // The package reports aliases only now, by errors of other classes.
    const reason =
      cause instanceof RangeError ? 'nested too deeply' : cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new SyntaxError(reason, { cause });
  }
  requireShallow(value, 0);
  return value;
}

/**
 * The line of a text, counted from 1, in which the value at a path of keys begins, or its key.
 * Undefined where there is none.
 * @param text that {@link parseYaml} has taken
 */
export function lineInYaml(text: string, path: readonly string[]): number | undefined {
  const lines = new LineCounter();
  let node: unknown = parseDocument(text, { logLevel: 'error', lineCounter: lines }).contents;
  let at: number | undefined;
  for (const key of path) {
    if (!isMap(node)) break;
    const pair = node.items.find(({ key: name }) => isScalar(name) && String(name.value) === key);
    if (pair === undefined) break;
    at = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
    node = pair.value;
  }
  return at === undefined ? undefined : lines.linePos(at).line;
}

/** Most open brackets, or indentations and indicators of a line, at any place; in linear time. */
function apparentDepth(text: string): number {
  let [most, open] = [0, 0];
  const indentations: number[] = [];
  for (const line of text.split('\n')) {
    const [indicators = ''] = /^[ \t]*(?:[-?:][ \t]+)*/.exec(line) ?? [];
    if (indicators.length < line.length) {
      const width = line.length - line.trimStart().length;
      while ((indentations.at(-1) ?? -1) >= width) indentations.pop();
      indentations.push(width);
    }
    let nested = indentations.length;
    for (const character of indicators) if (character !== ' ' && character !== '\t') nested += 1;
    most = Math.max(most, nested);
    for (const character of line) {
      if (character === '[' || character === '{') most = Math.max(most, ++open);
      else if ((character === ']' || character === '}') && open > 0) open -= 1;
    }
  }
  return most;
}

function requireShallow(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth >= MAX_DEPTH) throw new SyntaxError(`expected values of at most ${MAX_DEPTH} levels, got more`);
  for (const child of Object.values(value)) requireShallow(child, depth + 1);
}
