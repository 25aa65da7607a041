import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rotateIfDue } from '../../../src/gateway/identity/key-rotation.js';
import { openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { createVerifier, keyRingKeys } from '../../../src/server/auth/verifier.js';

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

  it('drops no key whose tokens live to make room, and drops all when told so', async () => {
    const ring = await KeyRing.open(dir);
    for (let at = 1; at < 32; at++) await ring.rotate();
    await assert.rejects(ring.rotate(), { code: 'LIMIT_EXCEEDED' });
    await ring.renew();
    assert.equal(ring.publicJwks().keys.length, 1);
  });

  it('gets a new key when the one that signs is old, and not before', async () => {
    const ring = await KeyRing.open(dir);
    const { kid } = await ring.signingKey();
    const logged: string[] = [];
    const log = { info: (_: object, text: string) => logged.push(text), error: (_: object, text: string) => logged.push(text) } as never;
    const at = (days: number, after: number) => rotateIfDue({ ring, days, log, now: () => Date.now() + after * DAY });
    await at(90, 89);
    await at(0, 1000);
    assert.equal((await ring.signingKey()).kid, kid);
    await at(90, 91);
    assert.notEqual((await ring.signingKey()).kid, kid);
    assert.equal(logged.length, 1);
    await at(90, 91);
    assert.equal(logged.length, 1);
  });
});
