/**
 * What a command imports before it does its work. Every module costs start-up time, about a
 * millisecond; so the numbers are bounded, on every machine alike.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MAIN } from '../support/server-process.js';

/** Runs before the command: each module that is imported, as a line on standard error. */
const hooks = `import { writeSync } from 'node:fs';
export function load(url, context, next) { writeSync(2, 'imports ' + url + '\\n'); return next(url, context); }`;
const asUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`;
const registration = asUrl(`import { register } from 'node:module'; register(${JSON.stringify(asUrl(hooks))});`);

interface Imports {
  /** Of the package itself, relative to `dist`. */
  readonly own: readonly string[];
  /** Names of the packages, without repetition. */
  readonly packages: readonly string[];
}

async function importsOf(...args: readonly string[]): Promise<Imports> {
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', registration, MAIN, ...args], { maxBuffer: 1 << 24 });
  const urls = [...stderr.matchAll(/^imports (file:.*)$/gm)].map(([, url]) => url!);
  const packages = urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  const own = urls.filter((url) => !url.includes('/node_modules/')).map((url) => url.replace(/^.*\/dist\//, ''));
  return { own, packages: [...new Set(packages)].sort() };
}

describe('start-up of a command', () => {
  it('imports no command for a list of commands, and only commander', async () => {
    for (const args of [['--help'], ['client', '--help']]) {
      const { own, packages } = await importsOf(...args);
      assert.deepEqual(packages, ['commander'], args.join(' '));
      assert.ok(own.length >= 5 && own.length <= 10, `${args.join(' ')}: ${own.length} modules`);
    }
  });

  for (const [role, name, most] of [
    ['client', 'train', 75],
    ['gateway', 'start', 35],
    ['coordinator', 'token', 35],
  ] as const) {
    it(`imports only the options of ${role} ${name} for its help`, async () => {
      const { own, packages } = await importsOf(role, name, '--help');
      assert.deepEqual(packages, ['commander', 'fastest-levenshtein', 'zod']);
      assert.ok(own.length >= 15 && own.length <= most, `${own.length} modules:\n${own.join('\n')}`);
    });
  }
});
