/** A participant's folder of examples: it grows, is replaced and is damaged while the participant runs, and nothing is trained on twice or lost. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { DataFolder } from '../../../../clients/typescript/federation/data/data-folder.js';
import { CutlayerError, type ErrorCode } from '../../../../src/errors.js';
import { FolderFixture, lines, record } from './folder-fixture.js';

describe('a data folder', () => {
  let fixture: FolderFixture;
  beforeEach(async () => {
    fixture = await FolderFixture.make();
  });
  afterEach(() => fixture.close());

  let round = 1000;
  // Each call is another round, so that it sees all that is there.
  const training = async (folder: DataFolder) => (await folder.roundExamples(round++, 0)).examples;
  const sources = async (folder: DataFolder) => (await training(folder)).map(({ source }) => source);

  it('reads every form of record from every .jsonl file, and no other file', async () => {
    await fixture.write('a.jsonl', lines(0, 2));
    await fixture.write('b.jsonl', '{"text": "The pump runs"}\n\n{"prompt": "a", "completion": "b", "id": 7}\r\n');
    await fixture.write('notes.txt', lines(5, 9));
    await fixture.write('.hidden.jsonl', lines(5, 9));
    await mkdir(fixture.file('deeper.jsonl'));
    const folder = await fixture.open();
    assert.deepEqual(await sources(folder), ['a.jsonl:1', 'a.jsonl:2', 'b.jsonl:1', 'b.jsonl:3']);
    assert.equal(folder.counts.files, 3);
    assert.deepEqual(
      fixture.events.filter(({ kind }) => kind === 'unreadable'),
      [{ kind: 'unreadable', file: 'deeper.jsonl' }],
    );
  });

  it('takes classes as their names say', async () => {
    await fixture.write(
      'a.jsonl',
      '{"text": "runs hot", "label": "bad"}\n{"text": "fine", "label": "good"}\n{"text": "x", "label": "odd"}\n',
    );
    const folder = await fixture.open({ examples: { maxLength: 64, labels: ['good', 'bad'] } });
    assert.deepEqual(
      (await training(folder)).map(({ classLabel }) => classLabel),
      [1, 0],
    );
    assert.equal(folder.counts.rejected, 1);
  });

  it('picks up appended lines when they are complete, and a line without its end not before', async () => {
    await fixture.write('a.jsonl', lines(0, 2));
    const folder = await fixture.open();
    const [first, second] = [lines(2, 3).slice(0, 9), lines(2, 3).slice(9)];
    await appendFile(fixture.file('a.jsonl'), first);
    await folder.refresh();
    assert.deepEqual([folder.counts.training, folder.counts.incomplete, folder.counts.rejected], [2, 1, 0]);
    await appendFile(fixture.file('a.jsonl'), second);
    await folder.refresh();
    assert.deepEqual(await sources(folder), ['a.jsonl:1', 'a.jsonl:2', 'a.jsonl:3']);
    assert.deepEqual([folder.counts.incomplete, folder.counts.rejected, folder.counts.duplicates], [0, 0, 0]);
    assert.deepEqual(
      fixture.events.map(({ kind }) => kind),
      ['added', 'incomplete', 'added'],
    );
  });

  it('reads a file again from its start when another takes its place, is cut, or has other bytes at its start', async () => {
    await fixture.write('a.jsonl', lines(0, 4));
    const folder = await fixture.open();
    await writeFile(join(fixture.root, 'new'), lines(10, 20));
    await rename(join(fixture.root, 'new'), fixture.file('a.jsonl'));
    await folder.refresh();
    assert.equal(folder.counts.training, 10, 'replaced by a longer one');
    await truncate(fixture.file('a.jsonl'), lines(10, 12).length);
    await folder.refresh();
    assert.equal(folder.counts.training, 2, 'cut');
    await writeFile(fixture.file('a.jsonl'), lines(30, 37));
    await folder.refresh();
    assert.equal(folder.counts.training, 7, 'written anew in place, and longer');
    assert.equal(fixture.events.filter(({ kind }) => kind === 'replaced').length, 3);
  });

  it('trains no more on what was taken out of the folder, and takes it back as the old examples that they are', async () => {
    await fixture.write('a.jsonl', lines(0, 3));
    await fixture.write('b.jsonl', lines(2, 5));
    const folder = await fixture.open();
    assert.deepEqual([folder.counts.training, folder.counts.duplicates], [5, 1]);
    const { digest } = await folder.roundExamples(1, 0);
    await rename(fixture.file('b.jsonl'), join(fixture.root, 'b.jsonl'));
    await folder.refresh();
    assert.deepEqual(await sources(folder), ['a.jsonl:1', 'a.jsonl:2', 'a.jsonl:3'], 'the line that both have stays');
    assert.notEqual((await folder.roundExamples(1, 0)).digest, digest, 'the digest tells that the round lost examples');
    await rename(join(fixture.root, 'b.jsonl'), fixture.file('renamed.jsonl'));
    await folder.refresh();
    assert.equal((await folder.roundExamples(1, 0)).digest, digest);
    assert.deepEqual(
      fixture.events.filter(({ kind }) => kind === 'removed'),
      [{ kind: 'removed', file: 'b.jsonl' }],
    );
  });

  it('keeps what it has while the folder cannot be read', async () => {
    await fixture.write('a.jsonl', lines(0, 3));
    const folder = await fixture.open();
    await rename(fixture.directory, join(fixture.root, 'away'));
    await folder.refresh();
    assert.equal(folder.counts.training, 3);
    await rename(join(fixture.root, 'away'), fixture.directory);
    await folder.refresh();
    assert.equal(folder.counts.training, 3);
    assert.equal(fixture.events.filter(({ kind }) => kind === 'unreadable').length, 1);
  });

  it('counts equal records once, whatever the order of their keys and whatever else they hold', async () => {
    const { prompt, completion } = record(1);
    await fixture.write('a.jsonl', `${JSON.stringify({ prompt, completion })}\n${JSON.stringify({ id: 3, completion, prompt })}\n`);
    const folder = await fixture.open();
    assert.deepEqual([folder.counts.training, folder.counts.duplicates], [1, 1]);
  });

  it('lists lines that are no examples with file, line and reason, for their owner only, and goes on', async () => {
    await fixture.write(
      'a.jsonl',
      Buffer.concat([Buffer.from(`${lines(0, 1)}secret words\n`), Buffer.from([0xff, 10]), Buffer.from(lines(1, 2))]),
    );
    await fixture.write('b.jsonl', `${JSON.stringify({ text: 'long '.repeat(100) })}\n`);
    const folder = await fixture.open();
    assert.deepEqual([folder.counts.training, folder.counts.rejected], [2, 3]);
    const path = join(fixture.stateDir, 'rejected.jsonl');
    const listed = (await readFile(path, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { file: string; line: number; reason: string });
    assert.deepEqual(
      listed.map(({ file, line }) => [file, line]),
      [
        ['a.jsonl', 2],
        ['a.jsonl', 3],
        ['b.jsonl', 1],
      ],
    );
    assert.match(listed[0]!.reason, /not JSON/);
    assert.match(listed[1]!.reason, /UTF-8/);
    assert.match(listed[2]!.reason, /tokens, the most is 64/);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.doesNotMatch(JSON.stringify(fixture.events) + (await readFile(path, 'utf8')), /secret|long long/);
    await rm(fixture.file('b.jsonl'));
    await folder.refresh();
    assert.equal(folder.counts.rejected, 2);
  });

  it('leaves what does not fit in its file, says so, and takes it when there is room', async () => {
    await fixture.write('a.jsonl', lines(0, 4));
    await fixture.write('b.jsonl', lines(4, 10));
    const folder = await fixture.open({ maxExamples: 6 });
    assert.deepEqual([folder.counts.training, folder.counts.full], [6, true]);
    await folder.refresh();
    assert.deepEqual(
      fixture.events.filter(({ kind }) => kind === 'full'),
      [{ kind: 'full', examples: 6 }],
      'said once',
    );
    await rm(fixture.file('a.jsonl'));
    await folder.refresh();
    assert.deepEqual([folder.counts.training, folder.counts.full], [6, false]);
    assert.deepEqual(
      await sources(folder),
      [1, 2, 3, 4, 5, 6].map((line) => `b.jsonl:${line}`),
    );
  });

  it('keeps no text in its state', async () => {
    await fixture.write('a.jsonl', lines(0, 5));
    const folder = await fixture.open();
    await folder.roundExamples(1, 0);
    const names = await readdir(fixture.stateDir);
    assert.ok(names.includes('member.db') && names.includes('rejected.jsonl'), names.join());
    for (const name of names) {
      assert.doesNotMatch(await readFile(join(fixture.stateDir, name), 'latin1'), /pump/, name);
      if (name !== 'run.lock') assert.equal((await stat(join(fixture.stateDir, name))).mode & 0o777, 0o600, name);
    }
  });

  it('lets other work have its turn while it reads a long file, and goes on where it was stopped', async () => {
    const folder = await fixture.open();
    await fixture.write('a.jsonl', lines(0, 300));
    const halves = async (work: Promise<unknown>, of: () => number, most: number): Promise<number> => {
      let seen = 0;
      let over = false;
      const ended = work.finally(() => {
        over = true;
      });
      while (!over) {
        await setImmediate();
        if (of() > 0 && of() < most) seen += 1;
      }
      await ended;
      return seen;
    };
    const stop = new AbortController();
    const reading = folder.refresh(stop.signal);
    reading.catch(() => undefined);
    while (folder.counts.training === 0) await setImmediate();
    stop.abort();
    await rejects(reading, 'CANCELLED', /reading examples/);
    const { training: before } = folder.counts;
    assert.ok(before > 0 && before < 300, `stopped at ${before}`);
    assert.ok((await halves(folder.refresh(), () => folder.counts.training, 300)) > 0);
    assert.deepEqual([folder.counts.training, folder.counts.duplicates], [300, 0]);
    assert.equal(fixture.events.filter(({ kind }) => kind === 'replaced').length, 0, 'what was read is not read again');
  });

  it('stops reading when it is told to', async () => {
    await fixture.write('a.jsonl', lines(0, 5));
    const folder = await fixture.open();
    await fixture.write('b.jsonl', lines(5, 9));
    await rejects(folder.refresh(AbortSignal.abort()), 'CANCELLED', /reading examples/);
    await folder.refresh();
    assert.equal(folder.counts.training, 9);
  });

  it('refuses a folder that is not there, a file in its place, and shares that are none', async () => {
    await fixture.write('a.jsonl', lines(0, 1));
    await rejects(fixture.open({ directory: join(fixture.root, 'none') }), 'NOT_FOUND', /no such directory/);
    await rejects(fixture.open({ directory: fixture.file('a.jsonl') }), 'INVALID_DATA', /expected a directory/);
    await rejects(fixture.open({ heldOutFile: join(fixture.root, 'none') }), 'NOT_FOUND', /no such file/);
    await rejects(fixture.open({ heldOutShare: 1 }), 'INVALID_OPTION', /held-out share/);
    await rejects(fixture.open({ rehearsal: -0.1 }), 'INVALID_OPTION', /rehearsal/);
  });
});

async function rejects(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof CutlayerError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
