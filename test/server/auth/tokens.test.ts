import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, exportSPKI } from 'jose';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type Identity, openIdentity } from '../../../src/server/auth/identity.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { loggedVerifier } from '../../../src/server/auth/refusal-log.js';
import { parseScopes, requireScope } from '../../../src/server/auth/scopes.js';
import { createVerifier, keyRingKeys, remoteKeys, type Verifier } from '../../../src/server/auth/verifier.js';

const NOW = Date.UTC(2026, 0, 15);
const b64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

async function refusal(run: Promise<unknown>): Promise<CutlayerError> {
  const error = await run.then(
    () => assert.fail('expected a refusal'),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CutlayerError, String(error));
  return error;
}

describe('access tokens', () => {
  let dir: string;
  let ring: KeyRing;
  let identity: Identity;
  let verify: Verifier;
  const request = { tenant: 'acme', scopes: ['train', 'infer'], ttlSeconds: 3600 } as const;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-auth-'));
    ring = await KeyRing.open(dir);
    identity = await openIdentity(dir);
    verify = createVerifier(identity, keyRingKeys(ring), () => NOW);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  it('accepts its own token and tells tenant and scopes', async () => {
    const principal = await verify(await issueToken(ring, identity, request, NOW));
    assert.equal(principal.tenant, 'acme');
    assert.deepEqual([...principal.scopes], ['train', 'infer']);
  });

  it('tolerates clocks that differ by a minute', async () => {
    await verify(await issueToken(ring, identity, { ...request, ttlSeconds: 60 }, NOW - 119_000));
    await verify(await issueToken(ring, identity, request, NOW + 59_000));
    await refusal(verify(await issueToken(ring, identity, request, NOW + 61_000)));
  });

  it('tells the log why a token was refused, in one line a second, without the token', async () => {
    const lines: { reason: string; unsaid: number }[] = [];
    let clock = 0;
    const logged = loggedVerifier(
      verify,
      { warn: (fields: object) => void lines.push(fields as (typeof lines)[number]) } as never,
      () => clock,
    );
    const expired = await issueToken(ring, identity, { ...request, ttlSeconds: 60 }, NOW - 240_000);
    for (let at = 0; at < 5; at++) await refusal(logged(expired));
    clock = 1000;
    await refusal(logged(await issueToken(ring, { ...identity, audience: 'another' }, request, NOW)));
    clock = 2000;
    await refusal(logged(await issueToken(ring, identity, request, NOW + 120_000)));
    assert.match(lines[0]!.reason, /"exp" claim timestamp check failed/);
    assert.match(lines[1]!.reason, /unexpected "aud" claim value/);
    assert.match(lines[2]!.reason, /issued in the future; compare the clocks/);
    assert.deepEqual(
      lines.map(({ unsaid }) => unsaid),
      [0, 4, 0],
    );
    assert.ok(!JSON.stringify(lines).includes(expired.slice(0, 20)));
  });

  it('says of a token of its own, past or before its time, when that is and what the clock says', async () => {
    const clock = "while the server's clock says 2026-01-15T00:00:00.000Z";
    const past = await refusal(verify(await issueToken(ring, identity, { ...request, ttlSeconds: 60 }, NOW - 180_000)));
    assert.equal(past.code, 'TOKEN_EXPIRED');
    assert.equal(past.message, `token: expired at 2026-01-14T23:58:00.000Z, ${clock}; ask its issuer for a new one`);
    const early = await refusal(verify(await issueToken(ring, identity, request, NOW + 600_000)));
    assert.equal(early.code, 'TOKEN_INVALID');
    assert.equal(early.message, `token: issued at 2026-01-15T00:10:00.000Z, ${clock}; compare the clocks`);
  });

  it('says nothing of the clock to a forger', async () => {
    for (const lie of [{ exp: NOW / 1000 - 600 }, { iat: NOW / 1000 + 600 }]) {
      const { kid } = await ring.signingKey();
      const input = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid })}.${b64({ ...claims(), ...lie })}`;
      const forged = `${input}.${sign(null, Buffer.from(input), generateKeyPairSync('ed25519').privateKey).toString('base64url')}`;
      assert.equal((await refusal(verify(forged))).message, 'token: invalid');
    }
  });

  it('keeps accepting tokens of the previous key after a rotation, also one that another process made', async () => {
    const old = await issueToken(ring, identity, request, NOW);
    const other = await KeyRing.open(dir);
    await other.rotate();
    const fresh = await issueToken(other, identity, request, NOW);
    assert.equal((await verify(old)).tenant, 'acme');
    assert.equal((await verify(fresh)).tenant, 'acme');
  });

  it('keeps no private part in the public key set', () => {
    for (const key of ring.publicJwks().keys) assert.ok(!('d' in key) && key.x !== undefined && key.kid !== undefined);
  });

  it('keeps the key ring where only its owner can read it, and refuses it otherwise', async function () {
    if (process.platform === 'win32') this.skip();
    assert.equal((await stat(join(dir, 'signing-keys.json'))).mode & 0o777, 0o600);
    const open = await mkdtemp(join(tmpdir(), 'cutlayer-auth-'));
    await writeFile(join(open, 'signing-keys.json'), '{}', { mode: 0o644 });
    const error = await refusal(KeyRing.open(open));
    assert.match(error.message, /expected a secret of mode 600, got 644/);
    await rm(open, { recursive: true });
  });

  it('refuses a key ring that is not one without quoting it', async () => {
    const broken = await mkdtemp(join(tmpdir(), 'cutlayer-auth-'));
    await writeFile(join(broken, 'signing-keys.json'), '{"keys": "s3cret"}', { mode: 0o600 });
    const error = await refusal(KeyRing.open(broken));
    assert.equal(error.code, 'IO_ERROR');
    assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /s3cret/);
    await rm(broken, { recursive: true });
  });

  it('makes one ring when two processes open a new directory at once', async () => {
    const shared = await mkdtemp(join(tmpdir(), 'cutlayer-auth-'));
    const [a, b] = await Promise.all([KeyRing.open(shared), KeyRing.open(shared)]);
    assert.deepEqual(a.publicJwks(), b.publicJwks());
    await rm(shared, { recursive: true });
  });

  it('gives every state directory names of its own and remembers the ones it was told', async () => {
    const other = await mkdtemp(join(tmpdir(), 'cutlayer-auth-'));
    assert.notEqual((await openIdentity(other)).audience, identity.audience);
    await openIdentity(other, { audience: 'gateway.example' });
    assert.equal((await openIdentity(other)).audience, 'gateway.example');
    await rm(other, { recursive: true });
  });

  /** A token signed with the ring's own key, whatever it says. */
  async function signed(header: object, payload: object): Promise<string> {
    const { kid, key } = await ring.signingKey();
    const input = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })}.${b64(payload)}`;
    return `${input}.${Buffer.from(await crypto.subtle.sign('Ed25519', key, Buffer.from(input))).toString('base64url')}`;
  }
  const claims = (): Record<string, unknown> => ({
    iss: identity.issuer,
    aud: identity.audience,
    sub: 'acme',
    iat: NOW / 1000,
    exp: NOW / 1000 + 3600,
    jti: randomUUID(),
    scope: 'split:train',
    tenant: 'acme',
  });
  const without = (claim: string): Record<string, unknown> => {
    const { [claim]: _, ...rest } = claims();
    return rest;
  };

  it('accepts a hand-made token of the same form, so that the refusals below are due to their one difference', async () => {
    const { tenant, expiresAt } = await verify(await signed({}, claims()));
    assert.deepEqual([tenant, expiresAt], ['acme', NOW + 3_600_000]);
  });

  const refused: readonly [string, () => Promise<string>, ErrorCode?][] = [
    ['whose audience is another gateway', () => signed({}, { ...claims(), aud: 'urn:cutlayer:gateway:other' })],
    ['whose issuer is another', () => signed({}, { ...claims(), iss: 'https://evil.example' })],
    ['that is not valid yet', () => signed({}, { ...claims(), nbf: NOW / 1000 + 600 })],
    ['without expiry', () => signed({}, without('exp'))],
    ['that lasts longer than any that is issued', () => signed({}, { ...claims(), exp: NOW / 1000 + 400 * 24 * 3600 })],
    ['that lasts for ever', () => signed({}, { ...claims(), exp: 1e15 })],
    ['without an issue time', () => signed({}, without('iat'))],
    ['without an id', () => signed({}, without('jti'))],
    ['without a tenant', () => signed({}, without('tenant'))],
    ['without a scope claim', () => signed({}, without('scope'))],
    ['without an audience', () => signed({}, without('aud'))],
    ['whose tenant would leave its key space', () => signed({}, { ...claims(), tenant: '../other' })],
    ['whose tenant is not a string', () => signed({}, { ...claims(), tenant: ['acme'] })],
    ['whose expiry is a string', () => signed({}, { ...claims(), exp: '9999999999' })],
    ['of type JWT (an id token)', () => signed({ typ: 'JWT' }, claims())],
    ['without a type', () => signed({ typ: undefined }, claims())],
    ['with an unknown critical header', () => signed({ crit: ['x'], x: 1 }, claims())],
    ['with a known critical header', () => signed({ crit: ['b64'], b64: true }, claims())],
    ['with its own key in the header', () => signed({ jwk: ring.publicJwks().keys[0] }, claims())],
    ['with the address of a key in the header', () => signed({ jku: 'https://evil.example/jwks.json' }, claims())],
    ['with a certificate in the header', () => signed({ x5c: ['MIIB'] }, claims())],
    ['that ends before it was issued', () => signed({}, { ...claims(), iat: NOW / 1000 + 40, exp: NOW / 1000 + 30 })],
    ['with an unknown key id', () => signed({ kid: 'nobody' }, claims())],
    ['without a key id', () => signed({ kid: undefined }, claims())],
    ['of algorithm none', async () => `${b64({ alg: 'none', typ: 'at+jwt' })}.${b64(claims())}.`],
    [
      'signed with HMAC under the public key',
      async () => {
        const { kid } = await ring.signingKey();
        const publicKey = await ring.publicKey(kid);
        const input = `${b64({ alg: 'HS256', typ: 'at+jwt', kid })}.${b64(claims())}`;
        return `${input}.${createHmac('sha256', await exportSPKI(publicKey!))
          .update(input)
          .digest('base64url')}`;
      },
    ],
    [
      'signed with another key under a known key id',
      async () => {
        const { kid } = await ring.signingKey();
        const input = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid })}.${b64(claims())}`;
        return `${input}.${sign(null, Buffer.from(input), generateKeyPairSync('ed25519').privateKey).toString('base64url')}`;
      },
    ],
    [
      'whose payload was changed',
      async () => {
        const [header, , signature] = (await signed({}, claims())).split('.');
        return `${header}.${b64({ ...claims(), tenant: 'other' })}.${signature}`;
      },
    ],
    [
      'whose signature was changed',
      async () => {
        const token = await signed({}, claims());
        const at = token.length - 20;
        return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      },
    ],
    ['that is empty', async () => ''],
    ['that is not a token', async () => 'a.b.c'],
    ['of megabytes', async () => 'a'.repeat(2 ** 20)],
  ];
  for (const [what, make, code = 'TOKEN_INVALID'] of refused) {
    it(`refuses a token ${what}, and says only that it is invalid`, async () => {
      const error = await refusal(verify(await make()));
      assert.equal(error.code, code);
      assert.equal(error.message, 'token: invalid');
      assert.deepEqual(error.details, {});
    });
  }

  it("verifies an external issuer's tokens by the keys at its address, and says so when they cannot be had", async () => {
    const server = createServer((_request, response) => response.end(JSON.stringify(ring.publicJwks())));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`);
    const token = await issueToken(ring, identity, request, NOW);
    const external = createVerifier(identity, remoteKeys(url), () => NOW);
    assert.equal((await external(token)).tenant, 'acme');
    assert.equal((await refusal(external(await signed({ kid: 'nobody' }, claims())))).code, 'TOKEN_INVALID');
    await new Promise((done) => server.close(done));
    const error = await refusal(createVerifier(identity, remoteKeys(url), () => NOW)(token));
    assert.deepEqual([error.code, error.retry], ['UNAVAILABLE', 'same']);
  });

  it('names the scope that is missing', async () => {
    const principal = await verify(await issueToken(ring, identity, { ...request, scopes: ['infer'] }, NOW));
    assert.throws(() => requireScope(principal, 'train'), { code: 'SCOPE_MISSING', message: /scope train/ });
    assert.doesNotThrow(() => requireScope(principal, 'train', 'infer'));
  });

  it('reads the older names of scopes, at the kind of server only that issued them', async () => {
    const all = { ...claims(), scope: 'split:train split:infer federation:participate federation:admin admin unknown' };
    assert.deepEqual([...(await verify(await signed({}, all))).scopes], ['train', 'infer', 'admin']);
    const noAdmin = { ...all, scope: 'split:train federation:admin' };
    assert.deepEqual([...(await verify(await signed({}, noAdmin))).scopes], ['train']);
    const keys = keyRingKeys(ring);
    const coordinator = createVerifier(identity, keys, () => NOW, { role: 'coordinator' });
    assert.deepEqual([...(await coordinator(await signed({}, noAdmin))).scopes], ['admin']);
    assert.deepEqual([...(await coordinator(await signed({}, all))).scopes], ['federate', 'admin']);
    const { scope } = decodeJwt(await issueToken(ring, identity, { ...request, scopes: ['split:train', 'federation:admin'] }, NOW));
    assert.equal(scope, 'train admin');
    assert.deepEqual(parseScopes('split:infer, train'), ['train', 'infer']);
    assert.throws(() => parseScopes('federation:admin'), { code: 'INVALID_ARGUMENT', message: /got federation:admin/ });
  });

  it('does not issue tokens for bad tenants, lives or scopes', async () => {
    for (const bad of [{ tenant: 'a b' }, { tenant: '' }, { tenant: 'x'.repeat(65) }, { ttlSeconds: 0 }, { ttlSeconds: 1e12 }]) {
      assert.equal((await refusal(issueToken(ring, identity, { ...request, ...bad }, NOW))).code, 'INVALID_ARGUMENT');
    }
    assert.throws(() => parseScopes('split:train split:everything'), { code: 'INVALID_ARGUMENT', message: /got split:everything/ });
    assert.throws(() => parseScopes('  '), { code: 'INVALID_ARGUMENT' });
  });
});
