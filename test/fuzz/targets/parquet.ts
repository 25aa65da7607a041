/** Data files in Parquet: they are read the same twice, or refused. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordKeys } from '../../../clients/typescript/data/formats.js';
import { parquetRows } from '../../../clients/typescript/data/parquet.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { scratchFile } from '../scratch-files.js';
import type { Target } from '../target.js';

const directory = join(packageRoot(), 'test/fixtures/parquet');
const files = readdirSync(directory).filter((name) => name.endsWith('.parquet'));

async function rowsOf(file: string) {
  const rows = [];
  for await (const row of parquetRows(file, recordKeys)) rows.push(row);
  return rows;
}

export const target: Target = {
  examples: files.map((name) => readFileSync(join(directory, name))),
  words: ['PAR1', 'prompt', 'completion', '\xff\xff\xff\xff\x07', '\x15\x00\x15'],
  async run(input) {
    const file = scratchFile('data.parquet', input);
    const rows = await rowsOf(file);
    for (const [at, { number }] of rows.entries()) assert.equal(number, at + 1);
    assert.deepEqual(await rowsOf(file), rows);
  },
};
