/** The generated documents say what the code says today. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { documents } from './documents.js';

describe('documents', () => {
  for (const [path, write] of Object.entries(documents)) {
    it(`${path} is what its generator writes (else: npm run generate:docs)`, async () => {
      assert.equal(readFileSync(join(packageRoot(), path), 'utf8'), await write());
    });
  }
});
