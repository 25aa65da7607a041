import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockWithin } from '../../../src/files/process-lock.js';
import { rotateIfDue, SeenKeys } from '../../../src/gateway/identity/key-rotation.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { createVerifier, keyRingKeys } from '../../../src/server/auth/verifier.js';
import { thorough } from '../../support/exhaustive.js';
import { cutlayer } from '../../support/server-process.js';

const DAY = 24 * 3600 * 1000;

describe('the key ring', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-keys-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  const request = { tenant: 'acme', scopes: ['train'], ttlSeconds: 600 } as const;

  it('loses no valid request while another process rotates it under load', async () => {
    const serving = await KeyRing.open(dir);
    const identity = await openIdentity(dir);
    let now = Date.now();
    const verify = createVerifier(identity, keyRingKeys(serving), () => now);
    const other = await KeyRing.open(dir);
    const accepted: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      // What was issued before stays good, and what the other process issues is good at once.
      const tokens = await Promise.all([serving, other].map((ring) => issueToken(ring, identity, request, now)));
      const rotating = other.rotate(now);
      await Promise.all([...tokens, ...accepted.slice(-4)].map((token) => verify(token)));
      await rotating;
      accepted.push(...tokens, await issueToken(other, identity, request, now));
      now += 1000;
    }
    for (const token of accepted) assert.equal((await verify(token)).tenant, 'acme');
    assert.equal(serving.publicJwks().keys.length, 9);
  });

  it('keeps an earlier key until the longest token that it can have signed has ended', async () => {
    const ring = await KeyRing.open(dir);
    const now = Date.now();
    const { kid } = await ring.signingKey();
    await ring.rotate(now);
    await ring.rotate(now + 300 * DAY);
    assert.ok((await ring.publicKey(kid)) !== undefined);
    await ring.rotate(now + 367 * DAY);
    assert.equal(await ring.publicKey(kid), undefined);
    assert.equal(ring.publicJwks().keys.length, 3);
  });

  it('with --after is known to a replica that got the file late before a token needs it', async () => {
    const identity = await openIdentity(dir);
    const late = join(dir, 'late');
    await mkdir(late, { mode: 0o700 });
    const copy = () => copyFile(join(dir, 'signing-keys.json'), join(late, 'signing-keys.json'));
    const here = await KeyRing.open(dir);
    await copy();
    let now = Date.now();
    const verify = createVerifier(identity, keyRingKeys(await KeyRing.open(late)), () => now);
    const taken = async (): Promise<boolean> =>
      verify(await issueToken(here, identity, request, now)).then(
        () => true,
        () => false,
      );
    const { kid } = await here.signingKey(now);
    await here.rotate(now, 600);
    assert.equal(here.publicJwks().keys.length, 2);
    now += 599_000;
    assert.deepEqual([(await here.signingKey(now)).kid === kid, await taken()], [true, true]);
    now += 2000;
    assert.deepEqual([(await here.signingKey(now)).kid === kid, await taken()], [false, false], 'the file has come too late');
    await copy();
    assert.equal(await taken(), true);
    // The earlier key verifies as long as if it had been retired when the other one began.
    const end = now + 366 * DAY;
    await here.rotate(end);
    assert.ok((await here.publicKey(kid)) !== undefined);
    await here.rotate(end + 60_000);
    assert.equal(await here.publicKey(kid), undefined);
  });

  it('signs with the newest key that has begun, although an earlier one begins later', async () => {
    const ring = await KeyRing.open(dir);
    const now = Date.now();
    await ring.rotate(now, 1000);
    await ring.rotate(now, 10);
    const newest = ring.publicJwks().keys.at(-1)!.kid;
    for (const [seconds, isNewest] of [
      [9, false],
      [11, true],
      [1001, true],
    ] as const)
      assert.equal((await ring.signingKey(now + seconds * 1000)).kid === newest, isNewest, `${seconds} s`);
    assert.equal(await ring.rotateIfOlder(60, now), false);
  });

  it('drops no key whose tokens live to make room, and drops all when told so', async () => {
    const ring = await KeyRing.open(dir);
    for (let at = 1; at < 32; at++) await ring.rotate();
    await assert.rejects(ring.rotate(), { code: 'LIMIT_EXCEEDED' });
    await ring.renew();
    assert.equal(ring.publicJwks().keys.length, 1);
  });

  const kids = (ring: KeyRing): string[] => ring.publicJwks().keys.map(({ kid }) => kid!);

  it('loses no key when several rotate it at once, and each of them takes what all of them sign', async () => {
    const identity = await openIdentity(dir);
    const rings = await Promise.all(Array.from({ length: 6 }, () => KeyRing.open(dir)));
    const before = await issueToken(rings[0]!, identity, request, Date.now());
    await Promise.all(rings.map((ring) => ring.rotate()));
    const tokens = await Promise.all(rings.map((ring) => issueToken(ring, identity, request, Date.now())));
    const found = await KeyRing.open(dir);
    assert.equal(new Set(kids(found)).size, 7);
    const verify = createVerifier(identity, keyRingKeys(found), Date.now);
    for (const token of [before, ...tokens]) assert.equal((await verify(token)).tenant, 'acme');
    assert.deepEqual((await readdir(dir)).sort(), ['identity.json', 'signing-keys.json']);
  });

  it('gets one new key of several schedules at once, beside that of a command', async () => {
    const rings = await Promise.all(Array.from({ length: 4 }, () => KeyRing.open(dir)));
    const [kid] = kids(rings[0]!);
    const log = { info: () => undefined, error: (error: object) => assert.fail(JSON.stringify(error)) } as never;
    const later = Date.now() + 91 * DAY;
    await Promise.all([
      ...rings.map((ring) => rotateIfDue({ ring, days: 90, audit: { record: async () => {} }, log, now: () => later })),
      (await KeyRing.open(dir)).rotate(later),
    ]);
    const after = kids(await KeyRing.open(dir));
    // The command's key may come first: it is new, and then none is due.
    assert.ok(after[0] === kid && (after.length === 2 || after.length === 3), `${after.length} keys`);
  });

  it('has no key of before once all are dropped, whatever rotates at the same time', async () => {
    const rings = await Promise.all(Array.from({ length: 3 }, () => KeyRing.open(dir)));
    const [kid] = kids(rings[0]!);
    await Promise.all([rings[0]!.rotate(), rings[1]!.renew(), rings[2]!.rotate()]);
    assert.ok(!kids(await KeyRing.open(dir)).includes(kid!));
  });

  it('is not held up by the lock of a process that has died, or of a machine that is long gone', async () => {
    const ring = await KeyRing.open(dir);
    const holder = { id: 'x', pid: 2 ** 22 + 1, host: hostname(), since: new Date().toISOString(), processStart: '' };
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    for (const dead of [holder, { ...holder, host: 'elsewhere.example', since: hourAgo }]) {
      await writeFile(join(dir, 'signing-keys.lock'), JSON.stringify(dead));
      await ring.rotate();
    }
    assert.equal(kids(ring).length, 3);
    await writeFile(join(dir, 'signing-keys.lock'), JSON.stringify({ ...holder, host: 'elsewhere.example' }));
    await assert.rejects(lockWithin(join(dir, 'signing-keys.lock'), 0, { foreignMs: 60_000 }), {
      code: 'UNAVAILABLE',
      message: /process 4194305 on elsewhere\.example has held this lock/,
    });
  });

  thorough('loses no key of commands in processes of their own', async function () {
    this.timeout(60_000);
    await KeyRing.open(dir);
    const ended = await Promise.all(Array.from({ length: 4 }, () => cutlayer(['gateway', 'keys', 'rotate', '--state-dir', dir])));
    assert.deepEqual(
      ended.map(({ code }) => code),
      [0, 0, 0, 0],
    );
    const signed = ended.map(({ stdout }) => stdout.split(' ')[0]!);
    const found = kids(await KeyRing.open(dir));
    assert.equal(found.length, 5);
    assert.ok(signed.every((kid) => found.includes(kid)));
  });

  it('gets a new key when the one that signs is old, and not before', async () => {
    const ring = await KeyRing.open(dir);
    const { kid } = await ring.signingKey();
    const logged: string[] = [];
    const log = { info: (_: object, text: string) => logged.push(text), error: (_: object, text: string) => logged.push(text) } as never;
    const audited: unknown[] = [];
    const audit = { record: async (...entry: unknown[]) => void audited.push(entry) };
    const at = (days: number, after: number) => rotateIfDue({ ring, days, audit, log, now: () => Date.now() + after * DAY });
    await at(90, 89);
    await at(0, 1000);
    assert.equal((await ring.signingKey()).kid, kid);
    await at(90, 91);
    assert.notEqual((await ring.signingKey(Date.now() + 91 * DAY)).kid, kid);
    assert.equal(logged.length, 1);
    assert.deepEqual(audited, [['keys', { action: 'rotate', by: 'age', days: 90 }]]);
    await at(90, 91);
    assert.equal(logged.length, 1);
  });

  it('has an entry of each change that another process has made, also when the first try fails', async () => {
    const [ring, other] = [await KeyRing.open(dir), await KeyRing.open(dir)];
    const audited: unknown[] = [];
    let fails = true;
    const audit = {
      async record(...entry: unknown[]) {
        if (fails) throw new Error('full');
        audited.push(entry);
      },
    };
    const seen = new SeenKeys({ ring, audit, log: { info() {}, error() {} } as never });
    await seen.look();
    await other.renew();
    await ring.reload();
    await seen.look();
    fails = false;
    await seen.look();
    await seen.look();
    assert.deepEqual(audited, [['keys', { action: 'changed', kid: (await other.signingKey()).kid, keys: 1 }]]);
  });
});
