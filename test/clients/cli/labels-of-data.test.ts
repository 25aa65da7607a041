/** Labels of a classification head that are not given. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLabels } from '../../../clients/typescript/cli/train/labels-of-data.js';
import { readLabels } from '../../../clients/typescript/data/labels.js';

describe('labels of the data', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'cutlayer-labels-'));
  });
  after(() => rm(root, { recursive: true }));

  const fileOf = async (...labels: readonly (string | undefined)[]): Promise<string> => {
    const file = join(root, 'data.jsonl');
    await writeFile(file, labels.map((label) => `${JSON.stringify({ text: 'x', label })}\n`).join(''));
    return file;
  };
  const flagsOf = (data: string) => ({ data, labels: [], method: 'classification-head', initAdapter: undefined, format: 'auto' as const });

  it('are taken in the order of their characters, whatever the order of the records is', async () => {
    const forwards = await readLabels(await fileOf('warm', 'cold', 'warm', 'Hot'));
    assert.deepEqual(forwards, { labels: ['Hot', 'cold', 'warm'], records: 4 });
    assert.deepEqual((await readLabels(await fileOf('Hot', 'warm', 'cold'))).labels, forwards.labels);
    assert.deepEqual((await withLabels(flagsOf(await fileOf('b', 'a')))).labels, ['a', 'b']);
  });

  it('are not read where they are given, or where no method reads them', async () => {
    const flags = flagsOf(join(root, 'missing.jsonl'));
    for (const changed of [{ labels: ['x', 'y'] }, { method: 'prompt-tuning' }, { initAdapter: 'run1' }])
      assert.deepEqual(await withLabels({ ...flags, ...changed }), { ...flags, ...changed });
    await assert.rejects(withLabels(flags), { code: 'NOT_FOUND' });
  });

  it('are two at least, and in every record', async () => {
    const one = await fileOf('a', 'a');
    await assert.rejects(withLabels(flagsOf(one)), {
      code: 'INVALID_DATA',
      message: /two or more different labels in 2 records, got "a" alone; .*--labels/,
    });
    const missing = await fileOf('a', undefined);
    await assert.rejects(withLabels(flagsOf(missing)), {
      code: 'INVALID_DATA',
      message: /data.jsonl:2: "label": expected the name of a class/,
    });
  });
});
