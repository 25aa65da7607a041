/** What a program that depends on the package gets: types of packages that it has, and the documents. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';

interface PackageJson {
  readonly types?: string;
  readonly typings?: string;
  readonly exports?: unknown;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
}

const read = (dir: string): PackageJson => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as PackageJson;

/** Bare names that a declaration file and those that it imports import. */
function importedPackages(file: string, seen = new Set<string>()): Set<string> {
  const found = new Set<string>();
  if (seen.has(file)) return found;
  seen.add(file);
  for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/\b(?:from\s+|import\s*\(?)['"]([^'"\n]+)['"]/g)) {
    if (from.startsWith('.'))
      for (const name of importedPackages(resolve(dirname(file), from.replace(/\.js$/, '.d.ts')), seen)) found.add(name);
    else if (!from.startsWith('node:')) found.add(from.startsWith('@') ? from.split('/').slice(0, 2).join('/') : from.split('/')[0]!);
  }
  return found;
}

describe('the package', () => {
  const root = packageRoot();
  const { files, dependencies } = read(root);

  it('has types that name only packages that it brings, and that bring types', () => {
    const names = importedPackages(join(root, 'dist/clients/typescript/index.d.ts'));
    assert.ok(names.size > 0);
    for (const name of names) {
      assert.ok(name in dependencies, `${name} is in a declaration and is no dependency`);
      const other = read(join(root, 'node_modules', name));
      const typed =
        other.types ??
        other.typings ??
        (JSON.stringify(other.exports ?? '').includes('.d.') || existsSync(join(root, 'node_modules', name, 'index.d.ts')));
      assert.ok(typed, `${name} has no types of its own: a strict build of a dependent fails`);
    }
  });

  it('brings documents, licence and the messages', () => {
    for (const name of ['docs', 'README.md', 'LICENSE', 'proto']) assert.ok(files.includes(name), name);
  });
});
