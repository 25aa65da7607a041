/** Files of a party, folded. */
import assert from 'node:assert/strict';
import { holdingLines } from '../../demo/holding-text.js';

describe('holdings', () => {
  it('are a line a directory, with the largest file', () => {
    const files = [
      { path: 'bundle/weights.safetensors', bytes: 2_364_160 },
      { path: 'bundle/manifest.json', bytes: 13_008 },
      { path: 'adapter/a.safetensors', bytes: 12_408 },
    ];
    assert.deepEqual(holdingLines({ party: 'client', parameters: 1, files }), [
      'bundle/: 2 files, 2.4 MB, of which weights.safetensors 2.4 MB',
      'adapter/: 1 file, 12.4 kB',
    ]);
  });
});
