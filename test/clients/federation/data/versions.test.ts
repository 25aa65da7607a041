/** The registry of versions as a member reads it out of its own, verified files. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { versionTable } from '../../../../clients/typescript/cli/versions/run-versions.js';
import { ChainLog } from '../../../../clients/typescript/federation/chain-log.js';
import { readVersions, type VersionRegistry } from '../../../../clients/typescript/federation/data/read-versions.js';
import { MemberStore } from '../../../../clients/typescript/federation/member-store.js';
import { pinned } from '../../../../clients/typescript/federation/pin.js';
import { lineageOf, versionsOf } from '../../../../clients/typescript/versions/version-registry.js';
import { CutlayerError } from '../../../../src/errors.js';
import { type Broadcast, type BroadcastContent, type ChainHead, signBroadcast } from '../../../../src/protocol/federation/chain.js';
import { signOrder } from '../../../../src/protocol/federation/founder-order.js';
import { type OpenManifest, signManifest } from '../../../../src/protocol/federation/manifest.js';
import { generateIdentity } from '../../../../src/protocol/secagg/signature.js';
import { anyOrder } from '../../../support/founder-orders.js';

const metrics = (loss: number) => ({ loss, accuracy: 1 - loss / 2, exactMatch: 0.25 });
const measured = (current: number, earlier: number) => ({ current: metrics(current), earlier: metrics(earlier) });
const digest = (version: number) => String(version % 10).repeat(64);
const aggregate = (version: number, parent: number): BroadcastContent => ({
  kind: 'aggregate',
  round: version * 2 - 1,
  version,
  parent,
  digest: digest(version),
  participants: ['east', 'north', 'south'],
  weight: 3,
  clipNorm: null,
  privacy: null,
});
const judged = (
  kind: 'promote' | 'reject',
  version: number,
  promoted: readonly [number, number],
  candidate: readonly [number, number],
): BroadcastContent => ({
  kind,
  version,
  round: version * 2,
  promoted: measured(...promoted),
  candidate: measured(...candidate),
  participants: ['east', 'north', 'south'],
  privacy: null,
});

/** Two promotions, a rejection for forgetting, a way back to version 1 and a version from there. */
const story: readonly BroadcastContent[] = [
  { kind: 'begin', version: 0, digest: digest(0) },
  aggregate(1, 0),
  judged('promote', 1, [1.6, 1.6], [1.2, 1.2]),
  aggregate(2, 1),
  judged('reject', 2, [1.2, 1.2], [1, 1.4]),
  aggregate(3, 1),
  judged('promote', 3, [1.2, 1.2], [1, 1.1]),
  { kind: 'rollback', version: 1, from: 3, order: anyOrder },
  aggregate(4, 1),
];

describe('the registry of versions', () => {
  const broadcasts = story.map((content, seq) => ({ federation: digest(9), seq, previous: null, at: seq * 1000, ...content }) as Broadcast);

  it('says what became of each version, where it came from, how it measured and what it forgot', () => {
    const versions = versionsOf(broadcasts);
    assert.deepEqual(
      versions.map(({ version, parent, status }) => [version, parent, status]),
      [
        [0, null, 'superseded'],
        [1, 0, 'promoted'],
        [2, 1, 'rejected'],
        [3, 1, 'rolledBack'],
        [4, 1, 'candidate'],
      ],
    );
    assert.deepEqual(versions[2]!.current, metrics(1));
    assert.ok(Math.abs(versions[2]!.forgetting!.loss - 0.2) < 1e-12, 'worse on earlier examples');
    assert.ok(Math.abs(versions[2]!.gain!.loss - 0.2) < 1e-12, 'better on all');
    assert.ok(Math.abs(versions[3]!.forgetting!.loss + 0.1) < 1e-12, 'better on earlier examples');
    assert.ok(Math.abs(versions[2]!.forgetting!.accuracy - 0.1) < 1e-12, 'accuracy that fell is forgetting too');
    assert.equal(versions[4]!.current, null);
    assert.deepEqual(versions[0]!.current, metrics(1.6), 'the promoted one is measured beside the candidate');
    assert.deepEqual(lineageOf(versions, 4), [4, 1, 0]);
  });

  it('supersedes what was promoted before, and rolls back all that came after the target', () => {
    const more = [...story.slice(0, 7), aggregate(4, 3), judged('promote', 4, [1, 1], [0.9, 0.9])];
    const status = (contents: readonly BroadcastContent[]) =>
      versionsOf(contents.map((one, seq) => ({ federation: digest(9), seq, previous: null, at: 0, ...one }) as Broadcast)).map(
        (view) => view.status,
      );
    assert.deepEqual(status(more), ['superseded', 'superseded', 'rejected', 'superseded', 'promoted']);
    assert.deepEqual(status([...more, { kind: 'rollback', version: 1, from: 4, order: anyOrder }]), [
      'superseded',
      'promoted',
      'rejected',
      'rolledBack',
      'rolledBack',
    ]);
  });

  it('is a table for people', () => {
    const [head, ...rows] = versionTable(versionsOf(broadcasts)).split('\n');
    assert.match(head!, /^version +from +round +status +members +loss +accuracy +exact +gained \(loss\) +forgot \(loss\) +broadcast/);
    assert.match(rows[2]!, /^2 +1 +3 +rejected +3 +1\.0000 +0\.5000 +0\.2500 +0\.2000 +0\.2000 +1970-01-01 00:00:03$/);
    assert.equal(rows.length, 5);
  });
});

describe('a state directory', () => {
  const coordinator = generateIdentity();
  const member = generateIdentity();
  let stateDir: string;
  let open: OpenManifest;
  let state: MemberStore;
  let chain: ChainLog;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-versions-'));
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    const others = ['east', 'south'].map((name) => ({ name, publicKey: hex(generateIdentity().publicKey) }));
    open = signManifest(
      {
        formatVersion: 1,
        createdAt: '2026-01-01T00:00:00.000Z',
        founderKey: hex(coordinator.publicKey),
        coordinatorKey: hex(coordinator.publicKey),
        backboneDigest: digest(5),
        settings: { name: 'pumps', evaluation: { maxForgetting: 0.15 } },
        parameters: [{ name: 'prompt', shape: [2, 2] }],
        initialDigest: digest(0),
        members: [{ name: 'north', publicKey: hex(member.publicKey) }, ...others],
      },
      coordinator.privateKey,
    );
    state = await MemberStore.open(stateDir);
    const publicKey = hex(member.publicKey);
    await pinned(state, { federation: open.id, publicKey }, async () => open);
    chain = await ChainLog.open(state, open, () => undefined);
    let head: ChainHead | null = null;
    for (const told of story) {
      const { version } = told as { version: number };
      const place = { number: 1, chainHead: head?.hash ?? '' };
      const order = signOrder(open.id, { kind: 'rollback', version }, place, coordinator.privateKey);
      const content = told.kind === 'rollback' ? { ...told, order } : told;
      const next: ReturnType<typeof signBroadcast> = signBroadcast(open.id, head, content, 1000, coordinator.privateKey);
      head = next.head;
      chain.add(next.signed);
    }
  });
  afterEach(async () => {
    await state.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  it('is read while a participant has it, also in the middle of a transaction, and nothing is written', async () => {
    const { federation, name, member: own, chainHead, promoted, versions } = await readVersions(stateDir);
    assert.deepEqual([federation, name, own, promoted, versions.length], [open.id, 'pumps', 'north', 1, 5]);
    assert.equal(chainHead, chain.headHash);
    const rows = state.all('SELECT * FROM chain');
    let underWay: Promise<VersionRegistry> | undefined;
    const work = () => {
      state.run('DELETE FROM chain WHERE seq = 8');
      underWay = readVersions(stateDir);
      throw new Error('rolled back');
    };
    assert.throws(() => state.transaction(work), /rolled back/);
    assert.equal((await underWay)?.versions.length, 5);
    assert.deepEqual(state.all('SELECT * FROM chain'), rows);
    const reader = MemberStore.readOnly(stateDir);
    assert.throws(() => reader.run('DELETE FROM chain'), { code: 'IO_ERROR', message: /SQLITE_READONLY/ });
    await reader.close();
  });

  it('whose chain was changed is refused', async () => {
    state.run('DELETE FROM chain WHERE seq = 3');
    await rejects(readVersions(stateDir), 'BROADCAST_REJECTED');
  });

  it('without a pin is not found', async () => {
    state.run('DELETE FROM pin');
    await rejects(readVersions(stateDir), 'NOT_FOUND');
  });

  it('of nobody is not found', async () => {
    await rejects(readVersions(join(stateDir, 'none')), 'NOT_FOUND');
  });
});

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, (error: unknown) => error instanceof CutlayerError && error.code === code);
}
