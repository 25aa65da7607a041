/** The generated documents say what the code says today. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { thorough } from '../support/exhaustive.js';
import { documents } from './documents.js';

describe('documents', () => {
  for (const [path, write] of Object.entries(documents)) {
    // Its generator takes a step of each method through a gateway.
    const say = path.endsWith('methods.md') ? thorough : it;
    say(`${path} is what its generator writes (else: npm run generate:docs)`, async () => {
      assert.equal(readFileSync(join(packageRoot(), path), 'utf8'), await write());
    });
  }
});
