/** The words of a table's settings, and the grid that is measured without any. */
import assert from 'node:assert/strict';
import { defenceClaims } from '../../../clients/typescript/defences/claims.js';
import { defaultGrid } from '../../../src/commands/privacy-table/default-grid.js';
import type { Model } from '../../../src/commands/privacy-table/models.js';
import { plan } from '../../../src/commands/privacy-table/run-privacy.js';
import { parseSetting, withSetting } from '../../../src/commands/privacy-table/setting.js';

const modelAt = (bottom: number): Model => ({ bundle: `k${bottom}`, cut: { bottom, top: 0 }, backboneDigest: `${bottom}` });

describe('settings of a privacy table', () => {
  it('are read by the rules of the options of train, in one order', () => {
    const { text, values, cuts } = parseSetting('cut=1,2 redact=emails,phones row-noise=1.5 method=prompt-tuning+lora virtual-tokens=64');
    assert.deepEqual(values, { rowNoise: 1.5, redact: ['emails', 'phones'], method: 'prompt-tuning+lora', virtualTokens: 64 });
    assert.deepEqual(cuts, [1, 2]);
    assert.equal(parseSetting('virtual-tokens=64 --method=prompt-tuning+lora row-noise=1.5 redact=emails,phones').text, text);
    assert.deepEqual(parseSetting('none'), { text: 'none', values: {} });
  });

  it('are refused by the word that is wrong', () => {
    const refused = (words: string, message: RegExp) => assert.throws(() => parseSetting(words), { code: 'INVALID_OPTION', message });
    refused('row-noise', /--setting "row-noise": expected none, or words as row-noise=1, got row-noise/);
    refused('row-nois=1', /a setting has no option row-nois; did you mean row-noise\?/);
    refused('row-noise=-1', /row-noise: expected a number above 0, got -1/);
    refused('row-noise=1 rowNoise=2', /rowNoise is there twice/);
    refused('cut=x', /cut: expected numbers of client-held bottom blocks/);
    refused('defence-secret-file=x', /a setting has no option defence-secret-file/);
    assert.throws(() => withSetting({ method: 'prompt-tuning' }, parseSetting('token-clip=2')), {
      message: /token-clip has no effect: it belongs to --token-noise/,
    });
  });

  it('follow the undefended one at each of their cuts, each once', () => {
    const planned = plan([modelAt(0), modelAt(2)], ['row-noise=1', 'none', 'cut=2 row-noise=3', 'row-noise=1'].map(parseSetting));
    assert.deepEqual(
      planned.map(({ model, setting }) => `${model.bundle} ${setting.text}`),
      ['k0 none', 'k0 row-noise=1', 'k2 none', 'k2 row-noise=1', 'k2 row-noise=3'],
    );
  });

  it('are a grid of every defence where none are named', () => {
    for (const bottom of [0, 2]) {
      const grid = defaultGrid(bottom);
      for (const words of grid) parseSetting(words);
      assert.equal(grid[0], 'none');
      assert.equal(plan([modelAt(bottom)], []).length, new Set(grid).size);
    }
    const tried = [...defaultGrid(0), ...defaultGrid(1)].join(' ');
    for (const name of Object.keys(defenceClaims)) assert.ok(tried.includes(`${name}=`), name);
  });
});
