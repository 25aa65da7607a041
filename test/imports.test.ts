/** Holds the architecture: which folder may import which. The table is the design's; a new arrow is a decision, made here. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { packageRoot } from '../src/package-root.js';

/** Leaves that every folder may import. */
const leaves = ['atomic-file', 'errors', 'package-root'];

/** The allowed arrows; a folder may always import itself. `*` means everything. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  main: ['*'],
  commands: ['*'],
  'atomic-file': [],
  config: [],
  errors: [],
  'package-root': [],
  tensor: [],
  onnx: ['tensor'],
  autodiff: ['onnx', 'tensor'],
  safetensors: ['tensor'],
  artifacts: ['tensor'],
  models: ['onnx', 'safetensors', 'tensor'],
  compile: ['models', 'autodiff', 'safetensors', 'artifacts', 'onnx', 'tensor'],
  runtime: ['artifacts', 'tensor'],
  wire: ['tensor'],
  auth: [],
  observability: [],
  store: [],
  ledger: ['store'],
  service: ['wire', 'runtime', 'artifacts', 'tensor', 'auth', 'ledger', 'observability', 'config', 'federation', 'agreement'],
  admin: ['artifacts', 'auth', 'ledger', 'store', 'observability', 'config'],
  secagg: ['tensor'],
  privacy: ['tensor'],
  // What coordinator and participant must agree on to the last byte.
  agreement: ['secagg', 'privacy', 'wire', 'tensor'],
  federation: ['agreement', 'secagg', 'privacy', 'store', 'wire', 'tensor'],
  report: [],
  simulation: ['*'],
  'clients/typescript': ['wire', 'runtime', 'artifacts', 'safetensors', 'agreement', 'secagg', 'privacy', 'tensor'],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The part of the architecture that a source file belongs to: its folder under `src`, its own name at the top, or `clients/typescript`. */
function partOf(path: string): string {
  const segments = path.split('/');
  if (segments[0] === 'clients') return segments.slice(0, 2).join('/');
  if (segments[0] !== 'src') return segments[0]!;
  return segments[1]!.replace(/\.ts$/, '');
}

/** Every relative import of the sources, static and dynamic, types included. */
function relativeImports(): Import[] {
  const root = packageRoot();
  const found: Import[] = [];
  for (const top of ['src', 'clients/typescript']) {
    for (const name of readdirSync(join(root, top), { recursive: true }) as string[]) {
      if (!name.endsWith('.ts') || name.endsWith('.d.ts')) continue;
      const file = join(top, name);
      const text = readFileSync(join(root, file), 'utf8');
      for (const match of text.matchAll(/(?:from\s+|import\s+|import\(\s*|new URL\(\s*)['"](\.{1,2}\/[^'"]+)['"]/g)) {
        const target = relative(root, join(root, dirname(file), match[1]!));
        found.push({ file, from: partOf(file), to: partOf(target.replace(/\.js$/, '.ts')) });
      }
    }
  }
  return found;
}

describe('architecture', () => {
  const imports = relativeImports();

  it('finds the imports that it is to judge', () => {
    assert.ok(imports.length > 100, `only ${imports.length} imports found`);
  });

  it('names every part of the sources', () => {
    const unknown = [...new Set(imports.map(({ from }) => from))].filter((part) => !(part in arrows));
    assert.deepEqual(unknown, []);
  });

  it('allows only the arrows of the table', () => {
    const forbidden = imports
      .filter(({ from, to }) => from !== to && !leaves.includes(to) && !arrows[from]?.includes('*') && !arrows[from]?.includes(to))
      .map(({ file, to }) => `${file} -> ${to}`);
    assert.deepEqual(forbidden, []);
  });

  it('has no cycle between parts', () => {
    const edges = new Map<string, Set<string>>();
    for (const { from, to } of imports) {
      if (from !== to && !['main', 'commands', 'simulation'].includes(from)) edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
    const done = new Set<string>();
    const visit = (part: string, path: readonly string[]): void => {
      assert.ok(!path.includes(part), `cycle: ${[...path, part].join(' -> ')}`);
      if (done.has(part)) return;
      for (const next of edges.get(part) ?? []) visit(next, [...path, part]);
      done.add(part);
    };
    for (const part of edges.keys()) visit(part, []);
  });
});
