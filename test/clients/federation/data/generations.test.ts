/** What is new, what is earlier, and what is held out: the same after restarts, crashes, rejections and a way back. */
import assert from 'node:assert/strict';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../../../clients/typescript/federation/data/data-folder.js';
import { ExampleIndex } from '../../../../clients/typescript/federation/data/example-index.js';
import { MemberStore } from '../../../../clients/typescript/federation/member-store.js';
import { drawRehearsal, rehearsalCount } from '../../../../clients/typescript/intake/rehearsal.js';
import type { Broadcast, BroadcastContent } from '../../../../src/protocol/federation/chain.js';
import { FolderFixture, lines } from './folder-fixture.js';

describe('generations of examples', () => {
  let fixture: FolderFixture;
  let seq: number;
  beforeEach(async () => {
    fixture = await FolderFixture.make();
    seq = 0;
  });
  afterEach(() => fixture.close());

  const say = (folder: DataFolder, content: BroadcastContent) => {
    const broadcast = { federation: 'f'.repeat(64), seq, previous: null, at: 0, ...content } as Broadcast;
    seq += 1;
    return folder.observe(broadcast, 'north');
  };
  const begin = (folder: DataFolder) => say(folder, { kind: 'begin', version: 0, digest: '' });
  const aggregate = (folder: DataFolder, { round, version, parent, participants = ['north', 'south'] }: Aggregate) =>
    say(folder, { kind: 'aggregate', round, version, parent, digest: '', participants, weight: 2, clipNorm: null, privacy: null });
  const trained = async (folder: DataFolder, round: number, version: number) => {
    const { examples, fresh, rehearsed } = await folder.roundExamples(round, version);
    return { lines: examples.map(({ source }) => source.replace('.jsonl', '')), fresh, rehearsed };
  };

  it('are fixed for a round by its first call, also over a crash, while newer examples come in', async () => {
    await fixture.write('a.jsonl', lines(0, 6));
    const folder = await fixture.open({ heldOutShare: 0.2 });
    await begin(folder);
    const { digest } = await folder.roundExamples(1, 0);
    await appendFile(fixture.file('a.jsonl'), lines(6, 9));
    await folder.refresh();
    // Left as a killed process leaves it: never closed.
    const restarted = await fixture.open({ heldOutShare: 0.2 });
    assert.equal((await restarted.roundExamples(1, 0)).digest, digest);
    assert.notEqual((await restarted.roundExamples(2, 0)).digest, digest);
  });

  it('are fresh until an aggregate that this member is in, and count towards the trigger again from there', async () => {
    await fixture.write('a.jsonl', lines(0, 6));
    let folder = await fixture.open();
    await begin(folder);
    assert.ok(folder.newExamplesReady(6) && !folder.newExamplesReady(7));
    await folder.roundExamples(1, 0);
    assert.ok(folder.newExamplesReady(6), 'a round that is only begun has not used them');
    await appendFile(fixture.file('a.jsonl'), lines(6, 8));
    await folder.refresh();
    await aggregate(folder, { round: 1, version: 1, parent: 0, participants: ['south'] });
    assert.equal(folder.counts.fresh, 8, 'an aggregate of others has not used them');
    await folder.roundExamples(2, 1);
    await appendFile(fixture.file('a.jsonl'), lines(8, 11));
    await folder.refresh();
    await aggregate(folder, { round: 2, version: 2, parent: 1 });
    assert.equal(folder.counts.fresh, 3);
    folder = await fixture.open();
    assert.equal(folder.counts.fresh, 3, 'after a restart too');
  });

  it('stay new for training when only a rejected version has seen them, and become new again by a way back', async () => {
    await fixture.write('a.jsonl', lines(0, 4));
    const folder = await fixture.open({ trainOn: 'new', rehearsal: 0 });
    await begin(folder);
    await folder.roundExamples(1, 0);
    await aggregate(folder, { round: 1, version: 1, parent: 0 });
    await fixture.write('b.jsonl', lines(4, 6));
    await folder.refresh();
    assert.deepEqual(await trained(folder, 2, 1), { lines: ['b:1', 'b:2'], fresh: 2, rehearsed: 0 });
    await aggregate(folder, { round: 2, version: 2, parent: 1 });
    assert.equal((await trained(folder, 3, 1)).fresh, 2, 'version 2 was rejected: round 3 trains from version 1');
    assert.equal((await trained(folder, 4, 2)).fresh, 0, 'version 2 was promoted: nothing is new to it');
    assert.equal((await trained(folder, 5, 0)).fresh, 6, 'back to version 0: everything is');
    assert.equal(folder.counts.fresh, 0, 'but nothing of it asks for a round');
  });

  it('are inherited by a version that this member is not in', async () => {
    await fixture.write('a.jsonl', lines(0, 4));
    const folder = await fixture.open({ trainOn: 'new', rehearsal: 0 });
    await begin(folder);
    await folder.roundExamples(1, 0);
    await aggregate(folder, { round: 1, version: 1, parent: 0 });
    await aggregate(folder, { round: 2, version: 2, parent: 1, participants: ['south'] });
    assert.equal((await trained(folder, 3, 2)).fresh, 0);
  });

  it('join as rehearsal so that earlier ones make up the share asked for, the same ones after a restart, others in the next round', async () => {
    await fixture.write('a.jsonl', lines(0, 40));
    const options = { trainOn: 'new', rehearsal: 0.5 } as const;
    const folder = await fixture.open(options);
    await begin(folder);
    await folder.roundExamples(1, 0);
    await aggregate(folder, { round: 1, version: 1, parent: 0 });
    await fixture.write('b.jsonl', lines(40, 46));
    await folder.refresh();
    const second = await trained(folder, 2, 1);
    assert.deepEqual([second.fresh, second.rehearsed], [6, 6]);
    assert.deepEqual(second.lines.slice(6), ['b:1', 'b:2', 'b:3', 'b:4', 'b:5', 'b:6']);
    assert.deepEqual(await trained(await fixture.open(options), 2, 1), second);
    assert.notDeepEqual((await trained(folder, 3, 1)).lines, second.lines);
  });

  it('rehearse at most what there is', () => {
    assert.equal(rehearsalCount(70, 1000, 0.3), 30);
    assert.equal(rehearsalCount(70, 10, 0.3), 10);
    assert.equal(rehearsalCount(0, 10, 0.3), 0);
    assert.deepEqual(drawRehearsal([2, 4, 9], 3, 1, 1), [2, 4, 9]);
  });

  it('divide held-out examples at what the promoted version has seen', async () => {
    await fixture.write('a.jsonl', lines(0, 60));
    const folder = await fixture.open({ heldOutShare: 0.25 });
    await begin(folder);
    const before = folder.heldOut(0);
    assert.equal(before.earlier, before.current, 'without a version that has seen any, all of them');
    await folder.roundExamples(1, 0);
    await aggregate(folder, { round: 1, version: 1, parent: 0 });
    await fixture.write('b.jsonl', lines(60, 120));
    await folder.refresh();
    const { current, earlier } = folder.heldOut(1);
    assert.deepEqual(earlier, before.current);
    assert.ok(current.length > earlier.length);
    assert.deepEqual(current.slice(0, earlier.length), earlier);
  });

  it('hold out a share of about the size asked for, which no example enters or leaves', async () => {
    await fixture.write('a.jsonl', lines(0, 400));
    const folder = await fixture.open({ heldOutShare: 0.1 });
    const { training, heldOut } = folder.counts;
    // 400 draws of 0.1: a mean of 40, a deviation of 6.
    assert.ok(heldOut > 20 && heldOut < 60, `${heldOut} of 400`);
    assert.equal(training + heldOut, 400);
    const texts = (of: DataFolder) => new Set(of.heldOut(0).current.map(({ tokenIds }) => tokenIds.join()));
    const first = texts(folder);
    await fixture.write('b.jsonl', lines(0, 300));
    await fixture.write('c.jsonl', lines(400, 900));
    await rm(fixture.file('a.jsonl'));
    const later = await fixture.open({ heldOutShare: 0.1 });
    const trained = new Set((await later.roundExamples(1, 0)).examples.map(({ tokenIds }) => tokenIds.join()));
    assert.deepEqual(
      [...first].filter((text) => trained.has(text)),
      [],
    );
    assert.ok([...texts(later)].filter((text) => first.has(text)).length > 10);
  });

  it('never train on what an explicit held-out file has, whichever came first', async () => {
    const heldOutFile = fixture.file('valid.jsonl');
    await fixture.write('a.jsonl', lines(0, 10));
    await writeFile(heldOutFile, lines(8, 12));
    const folder = await fixture.open({ heldOutFile, heldOutShare: undefined });
    assert.deepEqual([folder.counts.training, folder.counts.heldOut], [8, 4]);
    await appendFile(heldOutFile, lines(0, 2));
    await fixture.write('b.jsonl', lines(11, 13));
    await folder.refresh();
    assert.deepEqual([folder.counts.training, folder.counts.heldOut], [7, 6]);
  });

  it('of another federation do not count in this one', async () => {
    await fixture.write('a.jsonl', lines(0, 4));
    const folder = await fixture.open();
    await begin(folder);
    await folder.roundExamples(1, 0);
    await aggregate(folder, { round: 1, version: 1, parent: 0 });
    await folder.observe({ federation: 'e'.repeat(64), seq: 0, previous: null, at: 0, kind: 'begin', version: 0, digest: '' }, 'north');
    assert.equal(folder.counts.fresh, 4);
  });
});

describe('the index of examples', () => {
  let fixture: FolderFixture;
  beforeEach(async () => {
    fixture = await FolderFixture.make();
  });
  afterEach(() => fixture.close());

  it('goes on from what was flushed when its process is killed, with the same key', async () => {
    const path = join(fixture.root, 'state');
    const state = await MemberStore.scratch(path);
    const index = ExampleIndex.open(state);
    const hashes = ['one', 'two', 'three'].map((content) => index.hash(content));
    for (const hash of hashes.slice(0, 2)) index.ordinalOf(hash);
    index.flush();
    index.ordinalOf(hashes[2]!);
    // Never flushed, never closed.
    const second = await MemberStore.scratch(path);
    const again = ExampleIndex.open(second);
    assert.equal(again.size, 2);
    assert.equal(again.hash('two'), hashes[1], 'the key is kept');
    assert.equal(again.ordinalOf(hashes[1]!), 1);
    assert.equal(again.ordinalOf(again.hash('four')), 2);
    again.flush();
    again.flush();
    const third = await MemberStore.scratch(path);
    const last = ExampleIndex.open(third);
    assert.equal(last.size, 3);
    assert.equal(last.ordinalOf(last.hash('four')), 2);
    for (const each of [state, second, third]) await each.close();
  });

  it('writes what could not be written at its next flush', () => {
    let full = true;
    const state = MemberStore.memory({
      onWrite: (moment, statement) => {
        if (full && moment === 'before' && /^INSERT INTO examples/.test(statement)) throw new Error('the disk is full');
      },
    });
    const index = ExampleIndex.open(state);
    const ordinals = ['one', 'two'].map((content) => index.ordinalOf(index.hash(content)));
    assert.throws(() => index.flush(), /the disk is full/);
    full = false;
    index.ordinalOf(index.hash('three'));
    index.flush();
    const again = ExampleIndex.open(state);
    assert.equal(again.size, 3);
    assert.deepEqual(
      ['one', 'two'].map((content) => again.ordinalOf(again.hash(content))),
      ordinals,
    );
  });

  it('that lacks some of its hashes is refused', () => {
    const state = MemberStore.memory();
    const index = ExampleIndex.open(state);
    for (const content of ['one', 'two']) {
      index.ordinalOf(index.hash(content));
      index.flush();
    }
    state.run('DELETE FROM examples WHERE first = 0');
    assert.throws(() => ExampleIndex.open(state), { code: 'STORE_CORRUPT', message: /the examples from 1 on: not what was written here/ });
  });
});

interface Aggregate {
  readonly round: number;
  readonly version: number;
  readonly parent: number;
  readonly participants?: string[];
}
