/** The flags of the methods' settings, against the schema that judges what a program gives. */
import assert from 'node:assert/strict';
import { settingBounds, settingDefaults, settingReaders } from '../../../clients/typescript/adapters/setting-table.js';
import { methodSettings } from '../../../clients/typescript/adapters/settings.js';
import { methodOptions } from '../../../clients/typescript/cli/train/method-options.js';
import type { OptionRow } from '../../../src/options/option.js';

const edges = Object.values(settingBounds).flatMap(([least, most]) => [least - 1, least, most, most + 1]);
const values: readonly unknown[] = [
  ...new Set([...edges, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, '', 'text', 'TEXT', 'MLP', 'LSTM', true, false, null]),
  [],
  ['a', 'b'],
  [''],
  [7],
  Array<string>(100_000).fill('a'),
  Array<string>(100_001).fill('a'),
];
const names = Object.keys(settingReaders) as (keyof typeof settingReaders)[];

describe('the flags of methods', () => {
  for (const name of names)
    it(`takes for ${name} exactly what the settings take`, () => {
      const row: OptionRow = methodOptions[name];
      const taken = (value: unknown): boolean => {
        try {
          // Whatever a program may give; the schema judges it.
          return methodSettings({ [name]: value } as Parameters<typeof methodSettings>[0]) !== undefined;
        } catch {
          return false;
        }
      };
      for (const value of values) assert.equal('value' in row.parse(value), taken(value), `${name}: ${String(value).slice(0, 20)}`);
    });

  it('has the defaults of the settings', () => {
    const defaults: Readonly<Record<string, unknown>> = settingDefaults;
    for (const name of names) assert.deepEqual((methodOptions[name] as OptionRow).fallback, defaults[name], name);
    assert.deepEqual(methodSettings(), settingDefaults);
  });
});
