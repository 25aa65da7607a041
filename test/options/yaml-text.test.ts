import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from '../../src/commands/coordinator/settings-input.js';
import { gatewayOptions } from '../../src/gateway/config.js';
import { readConfigFile } from '../../src/options/config-file.js';
import { parseYaml } from '../../src/options/yaml-text.js';

/** Texts that the parser's own errors, or the depth of the value, would turn into unforeseen errors. */
const hostile: Readonly<Record<string, string>> = {
  'an alias without an anchor': 'port: *missing',
  'an alias that holds itself': 'port: &a [*a]',
  'aliases that multiply': [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...['b', 'c', 'd', 'e', 'f'].map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcde'[at]}`).join()}]`),
  ].join('\n'),
  'lists nested 20,000 deep': `port: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  'block lists nested 20,000 deep on a line': `port: \n${'- '.repeat(20_000)}x`,
  'mappings indented 1,000 deep': Array.from({ length: 1000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n'),
  'keys nested 20,000 deep': `${'? '.repeat(20_000)}x`,
  'mappings nested 20,000 deep': `port: ${'{a: '.repeat(20_000)}`,
  'lists nested 65 deep': `port: ${'['.repeat(64)}${']'.repeat(64)}`,
  'more than 99 aliases of an anchor': ['a: &a x', ...Array.from({ length: 100 }, (_, at) => `b${at}: *a`)].join('\n'),
  'a list that does not end': 'port: [1, 2',
  'lists nested 500 deep': `port: ${'['.repeat(500)}${']'.repeat(500)}`,
};

describe('YAML from outside', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cutlayer-yaml-'));
  after(() => rmSync(dir, { recursive: true, force: true }));

  for (const [what, text] of Object.entries(hostile)) {
    it(`is refused by name of its file with ${what}`, async () => {
      const file = join(dir, 'options.yaml');
      writeFileSync(file, text);
      await assert.rejects(readConfigFile(file, gatewayOptions), { code: 'INVALID_OPTION', message: /options\.yaml: not YAML: / });
      await assert.rejects(readSettings({ file, single: [] }), { code: 'INVALID_OPTION', message: /options\.yaml: not YAML: / });
    });
  }

  it('is read to 64 levels and 99 aliases of an anchor', () => {
    const depth = (value: unknown): number => (Array.isArray(value) ? 1 + Math.max(0, ...value.map(depth)) : 0);
    assert.equal(depth(parseYaml(`${'['.repeat(64)}${']'.repeat(64)}`)), 64);
    const aliases = Array.from({ length: 99 }, (_, at) => `b${at}: *a`);
    assert.equal(Object.keys(parseYaml(['a: &a x', ...aliases].join('\n')) as object).length, 100);
  });

  it('is read without a warning that quotes it', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    parseYaml('? [a]\n: b');
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });

  it('is refused by name of its flag in a single setting', async () => {
    await assert.rejects(readSettings({ single: ['cohort.min=*missing'] }), {
      code: 'INVALID_OPTION',
      message: /--set cohort\.min=\*missing/,
    });
  });
});
