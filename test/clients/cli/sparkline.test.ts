/** The loss curve in one line. */
import assert from 'node:assert/strict';
import { sparkline, terminalShowsUnicode } from '../../../clients/typescript/cli/sparkline.js';

describe('the sparkline', () => {
  const falling = Array.from({ length: 8 }, (_, i) => 8 - i);

  it('shows high values high and low values low, in blocks or in ASCII', () => {
    assert.equal(sparkline(falling, { width: 8, unicode: true }), '█▇▆▅▄▃▂▁');
    assert.equal(sparkline(falling, { width: 8, unicode: false }), '#*+=:-._');
  });

  it('fits any number of values into its width, without losing a part of them', () => {
    const long = Array.from({ length: 1000 }, (_, i) => (i < 500 ? 10 : 1));
    assert.equal(sparkline(long, { width: 10, unicode: true }), '█████▁▁▁▁▁');
    assert.equal(sparkline([3, 3, 3], { width: 10, unicode: true }), '▁▁▁');
    assert.equal(sparkline([], { width: 10, unicode: true }), '');
    assert.equal(sparkline([1, Number.NaN, 2], { width: 10, unicode: true }), '▁█');
  });

  it('uses blocks only where the locale says UTF-8, the most specific variable first', () => {
    assert.equal(terminalShowsUnicode({ LANG: 'de_DE.UTF-8' }), true);
    assert.equal(terminalShowsUnicode({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }), false);
    assert.equal(terminalShowsUnicode({ LC_ALL: '', LC_CTYPE: 'en_US.utf8' }), true);
    assert.equal(terminalShowsUnicode({}), false);
  });
});
