/**
 * Holds who may reach what. The folders say who holds what: vendor, client and coordinator are processes of different parties, and this
 * file states that none of them contains another's code. The table is docs/architecture.md's; a new arrow is a decision, made here.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { packageRoot } from '../src/files/package-root.js';

/** What every room may import. */
const everyone = ['errors', 'files', 'tensor'];

/** The allowed arrows of `src`; a room may always import itself. `*` means everything. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  main: ['commands'],
  commands: ['*'],
  gateway: ['server', 'protocol', 'runtime', 'artifacts', 'options'],
  coordinator: ['server', 'protocol', 'privacy', 'options'],
  server: ['protocol', 'options'],
  compiler: ['artifacts', 'safetensors'],
  protocol: ['privacy'],
  runtime: [],
  privacy: [],
  artifacts: [],
  safetensors: [],
  options: [],
  errors: [],
  files: [],
  tensor: [],
};

/** What a client's folders may import of `src`; its command line, `options` too. */
const ofClients = ['protocol', 'privacy', 'runtime', 'artifacts', 'safetensors'];

/** The allowed arrows among a client's folders; `index` and `examples` are above all of them. */
const clientFolders: Readonly<Record<string, readonly string[]>> = {
  connection: [],
  data: [],
  optimizations: [],
  optimizers: ['optimizations'],
  adapters: ['optimizations'],
  defences: ['data', 'adapters'],
  model: ['connection', 'data', 'adapters', 'defences', 'optimizations'],
  inference: ['model', 'data', 'adapters', 'defences'],
  training: ['defences', 'inference', 'model', 'connection', 'data', 'adapters', 'optimizers', 'optimizations'],
  intake: ['data'],
  versions: [],
  federation: ['defences', 'intake', 'versions', 'training', 'inference', 'model', 'connection', 'data', 'adapters', 'optimizers'],
  improvement: ['intake', 'versions', 'inference', 'data'],
  inspect: ['training', 'adapters', 'defences'],
  audit: ['defences', 'inspect', 'inference', 'model', 'connection', 'data', 'adapters'],
  serving: ['intake', 'inference', 'model', 'connection', 'data', 'adapters', 'inspect'],
  cli: ['*'],
  examples: ['index'],
  index: ['*'],
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
}

/** The room of a source file: its folder under `src` (at the top its own name), or `clients`, or `clients/cli` for the command line. */
function roomOf(path: string): string {
  const [top, second = '', third] = path.split('/');
  if (top === 'clients') return third === 'cli' ? 'clients/cli' : 'clients';
  return top === 'src' ? second.replace(/\.ts$/, '') : top!;
}

/** The folder of a client's file, or its own name at the top; undefined for other files. */
function clientFolderOf(path: string): string | undefined {
  return /^clients\/typescript\/([^/.]+)/.exec(path)?.[1];
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
        const target = relative(root, join(root, dirname(file), match[1]!)).replace(/\.js$/, '.ts');
        found.push({ file, target, from: roomOf(file), to: roomOf(target) });
      }
    }
  }
  return found;
}

/** The rooms that a room reaches, directly or over others. */
function reach(imports: readonly Import[], room: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (from: string): void => {
    for (const next of imports) {
      if (next.from !== from || reached.has(next.to)) continue;
      reached.add(next.to);
      visit(next.to);
    }
  };
  visit(room);
  return reached;
}

/** The circles of a graph, each as the path that closes it. Nodes are visited once. */
function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (node: string, path: readonly string[]): void => {
    const at = path.indexOf(node);
    if (at >= 0) found.push([...path.slice(at), node].join(' -> '));
    if (at >= 0 || done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...path, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return found;
}

/** Edges between the two names that `ends` gives of an import. */
function edgesOf(imports: readonly Import[], ends: (found: Import) => readonly [string, string]): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const found of imports) {
    const [from, to] = ends(found);
    if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  return edges;
}

describe('architecture', () => {
  const imports = relativeImports();
  const clients = ['clients', 'clients/cli'];

  it('finds the imports that it is to judge', () => {
    assert.ok(imports.length > 1000, `only ${imports.length} imports found`);
  });

  it('names every room of the sources', () => {
    const unknown = [...new Set(imports.map(({ from }) => from))].filter((room) => !(room in rooms) && !clients.includes(room));
    assert.deepEqual(unknown, []);
  });

  it('allows only the arrows of the table', () => {
    const allowed = (from: string, to: string): boolean => {
      if (from === to || everyone.includes(to)) return true;
      if (from === 'clients') return ofClients.includes(to);
      if (from === 'clients/cli') return [...ofClients, 'clients', 'options'].includes(to);
      return rooms[from]!.includes('*') || rooms[from]!.includes(to);
    };
    assert.deepEqual(
      imports.filter(({ from, to }) => !allowed(from, to)).map(({ file, target }) => `${file} -> ${target}`),
      [],
    );
  });

  for (const [party, never] of [
    ['clients', ['gateway', 'coordinator', 'server', 'compiler', 'commands']],
    ['clients/cli', ['gateway', 'coordinator', 'server', 'compiler', 'commands']],
    ['gateway', ['compiler', 'coordinator', 'clients', 'clients/cli', 'commands']],
    ['coordinator', ['gateway', 'compiler', 'runtime', 'clients', 'clients/cli', 'commands']],
  ] as const) {
    it(`${party} never reaches ${never.join(', ')}, not over another room either`, () => {
      const reached = reach(imports, party);
      assert.deepEqual(
        never.filter((room) => reached.has(room)),
        [],
      );
    });
  }

  it('lets commands alone import a client', () => {
    const importers = imports.filter(({ from, to }) => clients.includes(to) && !clients.includes(from));
    assert.deepEqual([...new Set(importers.map(({ from }) => from))], ['commands']);
  });

  it("allows only the arrows of the table among a client's folders", () => {
    const wrong = imports.filter(({ file, target }) => {
      const [from, to] = [clientFolderOf(file), clientFolderOf(target)];
      if (from === undefined || to === undefined || from === to) return false;
      const allowed = clientFolders[from] ?? [];
      return !(allowed.includes('*') || allowed.includes(to));
    });
    assert.deepEqual(
      wrong.map(({ file, target }) => `${file} -> ${target}`),
      [],
    );
  });

  it('has no circle between rooms', () => {
    assert.deepEqual(circles(edgesOf(imports, ({ from, to }) => [from, to])), []);
  });

  it('has no circle between files, types included', () => {
    assert.deepEqual(circles(edgesOf(imports, ({ file, target }) => [file, target])), []);
  });
});
