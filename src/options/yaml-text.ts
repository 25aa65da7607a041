/** YAML from outside, as plain values. */
import { parseDocument } from 'yaml';

const MAX_DEPTH = 64;

/**
 * The value of a text; null for an empty one.
 * @throws SyntaxError with a message of one line: no YAML, an alias that has no value or no end,
 *   too many aliases, values nested too deeply
 */
export function parseYaml(text: string): unknown {
  let value: unknown;
  try {
    // Its warnings would quote the text on the terminal.
    const document = parseDocument(text, { logLevel: 'error' });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    value = document.toJS();
  } catch (cause) {
    // The package's parser recurses too, and reports aliases only now, by errors of other classes.
    const reason =
      cause instanceof RangeError ? 'nested too deeply' : cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new SyntaxError(reason, { cause });
  }
  requireShallow(value, 0);
  return value;
}

function requireShallow(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth >= MAX_DEPTH) throw new SyntaxError(`expected values of at most ${MAX_DEPTH} levels, got more`);
  for (const child of Object.values(value)) requireShallow(child, depth + 1);
}
