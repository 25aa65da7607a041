import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileAtomic, writeDirectoryAtomic, writeFileAtomic } from '../../src/files/atomic-file.js';

describe('files that appear whole or not at all', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-atomic-'));
    await writeFile(join(dir, 'file'), 'before');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('name what cannot be written and why, and leave everything as it was', async () => {
    const below = join(dir, 'file', 'x');
    const expected = { code: 'IO_ERROR', message: `${below}: cannot be written (ENOTDIR); what was there before is unchanged` };
    await assert.rejects(writeFileAtomic(below, 'after'), expected);
    await assert.rejects(
      writeDirectoryAtomic(join(below, 'y'), async () => undefined),
      { code: 'IO_ERROR' },
    );
    await assert.rejects(
      writeDirectoryAtomic(join(dir, 'new'), (temporary) => writeFile(join(temporary, 'absent', 'x'), '')),
      { code: 'IO_ERROR', message: /cannot be written \(ENOENT\)/ },
    );
    assert.deepEqual(await readdir(dir), ['file']);
    assert.equal(await readFile(join(dir, 'file'), 'utf8'), 'before');
  });

  it('are made once where they are only to be created, by the first of many', async () => {
    const path = join(dir, 'once');
    const first = await Promise.all(Array.from({ length: 8 }, (_, n) => createFileAtomic(path, String(n), { mode: 0o600 })));
    assert.equal(first.filter((made) => made).length, 1);
    assert.equal(await readFile(path, 'utf8'), String(first.indexOf(true)));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal(await createFileAtomic(path, 'later'), false);
    await assert.rejects(createFileAtomic(join(dir, 'file', 'x'), ''), { code: 'IO_ERROR' });
    assert.deepEqual(await readdir(dir), ['file', 'once']);
  });

  it('hand on what filling a directory failed with, and leave none behind', async () => {
    const failure = new Error('no more');
    await assert.rejects(
      writeDirectoryAtomic(join(dir, 'new'), async (temporary) => {
        await writeFileAtomic(join(temporary, 'half'), '1');
        throw failure;
      }),
      (error) => error === failure,
    );
    assert.deepEqual(await readdir(dir), ['file']);
  });
});
