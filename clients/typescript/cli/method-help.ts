/** The methods in a few lines, for `--help`. */
import { methods } from '../adapters/registry.js';

/** A line per method of the registry. */
export function methodHelp(): string {
  const rows = Object.values(methods);
  const width = Math.max(...rows.map(({ method }) => method.length));
  return `Methods:\n${rows.map(({ method, summary }) => `  ${method.padEnd(width)}  ${summary}`).join('\n')}`;
}
