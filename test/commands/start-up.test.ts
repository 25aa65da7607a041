/**
 * What a command imports before it does its work. Every module costs start-up time, about a
 * millisecond; so the numbers are bounded, on every machine alike.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { commandGroups, packEntry } from '../../src/commands/command-list.js';
import { commandsOf } from '../../src/options/command-entry.js';
import { depth, every } from '../support/exhaustive.js';
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
  const call = promisify(execFile)(process.execPath, ['--import', registration, MAIN, ...args], { maxBuffer: 1 << 24 });
  // A refused call ends with another status; its imports count all the same.
  const { stderr } = await call.catch((failed: { readonly stderr: string }) => failed);
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

  const commands: readonly (readonly string[])[] = [[packEntry.name], ...commandsOf(commandGroups).map(([words]) => words)];
  for (const words of every(11, commands)) {
    it(`imports only the options of ${words.join(' ')} for its help`, async () => {
      const { own, packages } = await importsOf(...words, '--help');
      assert.deepEqual(packages, ['commander', 'fastest-levenshtein']);
      assert.ok(own.length >= 13 && own.length <= 45, `${own.length} modules:\n${own.join('\n')}`);
    });
  }

  it('imports as little to refuse a flag that there is not', async () => {
    const refusing = [['pack'], ['client', 'train'], ['gateway', 'start'], ['coordinator', 'simulate']];
    for (const words of depth(refusing, refusing.slice(1, 2))) {
      const { own, packages } = await importsOf(...words, '--nonsense');
      assert.deepEqual(packages, ['commander', 'fastest-levenshtein']);
      assert.ok(own.length <= 45, `${own.length} modules:\n${own.join('\n')}`);
    }
  });

  it('imports as little to refuse a value', async () => {
    const { packages } = await importsOf('client', 'train', '--rank', '0');
    assert.deepEqual(packages, ['commander', 'fastest-levenshtein']);
  });
});
