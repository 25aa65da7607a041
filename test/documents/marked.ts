/** A document of which a program writes one part, between two marks; what stands around it is written by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';

/** The document with these lines between its marks of a name. */
export function withMarked(path: string, name: string, lines: readonly string[]): string {
  const [begin, end] = [`<!-- ${name}: written by \`npm run generate:docs\` -->`, `<!-- ${name} end -->`];
  const text = readFileSync(join(packageRoot(), path), 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path}: expected the two marks around ${name}`);
  return `${text.slice(0, from)}${begin}\n${lines.join('\n')}\n${text.slice(to)}`;
}
