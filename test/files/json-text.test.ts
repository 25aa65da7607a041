import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requestLines } from '../../clients/typescript/intake/request-lines.js';
import { MAX_JSON_DEPTH, parseJson } from '../../src/files/json-text.js';
import { openCheckpoint } from '../../src/safetensors/checkpoint.js';

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('JSON from outside', () => {
  it('is read to a depth, and refused beyond it', () => {
    assert.deepEqual(parseJson(nested(2)), [[]]);
    assert.ok(Array.isArray(parseJson(nested(MAX_JSON_DEPTH))));
    assert.throws(() => parseJson(nested(MAX_JSON_DEPTH + 1)), { name: 'SyntaxError', message: /at most 128 levels/ });
    assert.throws(() => parseJson(`${'{"a":'.repeat(20_000)}0${'}'.repeat(20_000)}`), { name: 'SyntaxError' });
  });

  it('may have any number of brackets inside texts', () => {
    const value = { a: `${'['.repeat(1000)}"\\${'{'.repeat(1000)}`, [`${'{'.repeat(1000)}\\`]: [] };
    assert.deepEqual(parseJson(JSON.stringify(value)), value);
  });

  it('has zeros without a sign, so that what is written again reads the same', () => {
    assert.deepEqual(parseJson('{"-0":[-0,-0.0,-0e7,-0.5,"-0"]}'), { '-0': [0, 0, 0, -0.5, '-0'] });
  });

  it('is refused as an argument in the body of a request, however deep it is', () => {
    assert.throws(() => requestLines(Buffer.from(nested(20_000)), 'application/json'), { code: 'INVALID_ARGUMENT' });
  });

  it('is refused as damaged in the index of a checkpoint, however deep it is', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-deep-'));
    try {
      writeFileSync(join(dir, 'model.safetensors.index.json'), `{"weight_map":{"a":${nested(20_000)}}}`);
      await assert.rejects(openCheckpoint(dir), { code: 'INVALID_SAFETENSORS' });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
