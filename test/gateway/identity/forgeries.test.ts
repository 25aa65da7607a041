/** Forged, stale, mis-scoped, cross-tenant and malformed tokens and assertions: none is accepted. */
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { type CryptoKey, exportSPKI } from 'jose';
import { type AuthenticationOptions, authenticateClient } from '../../../src/gateway/identity/client-authentication.js';
import { SecretHasher } from '../../../src/gateway/identity/client-secret.js';
import { requireScope } from '../../../src/server/auth/scopes.js';
import { ASSERTION, addClient, type IdentityRig, newTestKey, startIdentityRig, type TestKey } from '../../support/identity-rig.js';

type Json = Record<string, unknown>;

const b64 = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

async function signed(key: CryptoKey, header: Json | string, payload: Json | string): Promise<string> {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${Buffer.from(await crypto.subtle.sign('Ed25519', key, Buffer.from(input))).toString('base64url')}`;
}

/** Members that no header may have, and values that no member may have. */
const headers = (jwk: object): readonly Json[] => [
  ...['none', 'None', 'HS256', 'HS512', 'RS256', 'PS256', 'ES384', 'ES512', 'RSA-OAEP', '', 1, null, ['EdDSA']].map((alg) => ({ alg })),
  ...['nobody', '', 1, null, ['x'], '../key', '__proto__', 'constructor'].map((kid) => ({ kid })),
  ...['crit', 'b64', 'zip', 'enc', 'jku', 'x5u', 'x5c'].map((name) => ({ [name]: name === 'crit' ? ['exp'] : 'x' })),
  ...[
    { crit: ['b64'], b64: false },
    { crit: [] },
    { crit: ['x'], x: 1 },
    { jwk },
    { jwk: {} },
    { jku: 'https://evil.example' },
    { b64: true },
  ],
];

/** What is wrong with each text, whatever its claims. */
const structures = (good: string): readonly string[] => {
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const flipped = signature.slice(0, 20) + (signature[20] === 'A' ? 'B' : 'A') + signature.slice(21);
  return [
    ...['', '.', '..', '...', 'a', 'a.b', 'a.b.c', 'a.b.c.d', 'a.b.c.d.e', 'null', '{}', ' ', '\u0000', 'é.é.é'],
    ...[`${header}.${payload}`, `${header}.${payload}.`, `${header}..${signature}`, `.${payload}.${signature}`],
    ...[`${good}.`, `.${good}`, `${good}.${signature}`, `${good}=`, `${good} `, ` ${good}`, `${good}A`, good.slice(0, -4), good.slice(4)],
    ...[`${header}.${payload}.${flipped}`, `${payload}.${header}.${signature}`, `${header}.${header}.${signature}`],
    ...[`${header}.${payload}.${'A'.repeat(86)}`, `${header}.${payload}.${signature.slice(0, 43)}`, `Bearer ${good}`],
    ...[`${b64('null')}.${payload}.${signature}`, `${b64('[]')}.${payload}.${signature}`, `${b64('x')}.${payload}.${signature}`],
    ...['x'.repeat(9000), `${header}.${payload}.${signature}${'A'.repeat(9000)}`, good.replace('.', '..'), good.toUpperCase()],
  ];
};

describe('forged, stale and malformed credentials', function () {
  this.timeout(30_000);
  let rig: IdentityRig;
  let stranger: TestKey;
  before(async () => {
    rig = await startIdentityRig();
    stranger = await newTestKey();
  });
  after(() => rig.close());

  const seconds = (): number => Math.floor(rig.now() / 1000);

  it('are refused as access tokens, each of more than 190, where the same without its one fault is accepted', async () => {
    const { kid, key } = await rig.ring.signingKey();
    const header = { alg: 'EdDSA', typ: 'at+jwt', kid };
    const claims = (): Json => ({
      ...{ iss: rig.identity.issuer, aud: rig.identity.audience, sub: 'acme', client_id: 'acme', tenant: 'acme', scope: 'train' },
      ...{ iat: seconds(), exp: seconds() + 600, jti: randomUUID() },
    });
    const now = seconds();
    const payloads: readonly Json[] = [
      ...['urn:other', '', null, 1, [], {}, [rig.identity.issuer]].map((iss) => ({ iss })),
      ...['urn:other', '', null, 1, [], {}, ['urn:other'], `${rig.identity.audience}x`, rig.identity.issuer].map((aud) => ({ aud })),
      ...[now - 61, now - 3600, 0, -1, '9999999999', null, [], now + 400 * 86_400, 1e15, now - 700].map((exp) => ({ exp })),
      ...[now + 3600, now + 120, 'now', null, now + 601].map((iat) => ({ iat })),
      ...[now + 3600, 'x'].map((nbf) => ({ nbf })),
      ...['', '../other', 'a b', 'x'.repeat(65), null, 1, ['acme'], { acme: 1 }, '-a', 'a/b', 'ä', 'a\n'].map((tenant) => ({ tenant })),
      ...[null, 1, {}].map((jti) => ({ jti })),
      ...[null, 1, ['train'], {}].map((scope) => ({ scope })),
      ...[{}, null, [], 'x', { 'x5t#S256': 'A'.repeat(43) }, { jkt: 'A'.repeat(43) }, { jwk: {} }, { kid: 'x' }].map((cnf) => ({ cnf })),
      ...['exp', 'iat', 'jti', 'scope', 'tenant', 'iss', 'aud'].map((name) => ({ [name]: undefined })),
    ];
    const types: readonly Json[] = [undefined, 'JWT', 'jwt', 'dpop+jwt', 'client-authentication+jwt', '', 1, null].map((typ) => ({ typ }));
    const good = await signed(key, header, claims());
    assert.equal((await rig.verify(good)).tenant, 'acme');
    const forged: string[] = [...structures(good)];
    for (const fault of [...headers(stranger.publicJwk), ...types]) {
      forged.push(
        await signed(key, { ...header, ...fault }, claims()),
        await signed(stranger.privateKey, { ...header, ...fault }, claims()),
      );
    }
    for (const fault of payloads) forged.push(await signed(key, header, { ...claims(), ...fault }));
    for (const fault of [{}, { tenant: 'other' }, { scope: 'admin' }, { exp: now + 60 }]) {
      forged.push(await signed(stranger.privateKey, header, { ...claims(), ...fault }));
      forged.push(`${good.split('.')[0]}.${b64({ ...claims(), ...fault })}.${good.split('.')[2]}`);
    }
    for (const text of ['null', '[]', '"x"', '1', '{', '{"exp":1}', '']) forged.push(await signed(key, header, text));
    const spki = await exportSPKI((await rig.ring.publicKey(kid))!);
    for (const secret of [spki, kid, '', JSON.stringify(rig.ring.publicJwks().keys[0])]) {
      const input = `${b64({ ...header, alg: 'HS256' })}.${b64(claims())}`;
      forged.push(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`);
    }
    const accepted: string[] = [];
    for (const token of forged) {
      await rig.verify(token).then(
        () => accepted.push(token),
        (error: { code?: string }) => assert.match(error.code ?? String(error), /^TOKEN_(INVALID|EXPIRED)$/),
      );
    }
    assert.deepEqual(accepted, []);
    assert.ok(forged.length > 190, String(forged.length));
    const misScoped = ['', 'infer', 'TRAIN', 'train,admin', 'trains', 'federate', 'federation:admin', 'split:admin', 'model:read'];
    for (const scope of misScoped) {
      const principal = await rig.verify(await signed(key, header, { ...claims(), scope }));
      assert.throws(() => requireScope(principal, 'train', 'admin'), { code: 'SCOPE_MISSING' }, scope);
    }
  });

  it('are refused as client assertions, each of more than 125, where the same without its one fault is accepted', async () => {
    const own = await addClient(rig, 'acme');
    const other = await addClient(rig, 'other');
    const options: AuthenticationOptions = {
      ...{ registry: rig.registry, database: rig.database, issuer: rig.identity.issuer, now: rig.now },
      hasher: new SecretHasher({ work: 1024 }),
    };
    const present = (client_assertion: string) =>
      authenticateClient({ client_assertion, client_assertion_type: ASSERTION }, undefined, options);
    const header = { alg: 'EdDSA', kid: own.key.publicJwk.kid! };
    const claims = (): Json => ({
      ...{ iss: own.id, sub: own.id, aud: rig.identity.issuer },
      ...{ iat: seconds(), exp: seconds() + 60, jti: randomUUID() },
    });
    const { privateKey } = own.key;
    const good = await signed(privateKey, header, claims());
    assert.equal((await present(good)).tenant, 'acme');
    const now = seconds();
    const payloads: readonly Json[] = [
      ...[other.id, '', null, 1, [own.id], 'client_none', 'acme'].map((iss) => ({ iss })),
      ...[other.id, '', null, 1, [own.id], 'client_none', 'acme'].map((sub) => ({ sub })),
      { iss: other.id, sub: other.id },
      ...[`${rig.url}/oauth2/token`, rig.identity.audience, '', null, 1, [], {}].map((aud) => ({ aud })),
      { aud: [rig.identity.issuer, 'https://evil.example'] },
      ...[now - 61, 0, null, '9999999999', now + 3600, now + 400, 1e15].map((exp) => ({ exp })),
      ...[now + 3600, now + 120, 'x'].map((iat) => ({ iat })),
      ...[now + 3600, 'x'].map((nbf) => ({ nbf })),
      ...['', null, 1, 'x'.repeat(129), ['x']].map((jti) => ({ jti })),
      ...['exp', 'jti', 'iss', 'sub', 'aud'].map((name) => ({ [name]: undefined })),
    ];
    const forged: string[] = [good, ...structures(good)];
    const types: readonly Json[] = ['at+jwt', 'dpop+jwt', '', 1, null].map((typ) => ({ typ }));
    for (const fault of [...headers(stranger.publicJwk), ...types])
      forged.push(await signed(privateKey, { ...header, ...fault }, claims()));
    for (const fault of payloads) forged.push(await signed(privateKey, header, { ...claims(), ...fault }));
    for (const key of [stranger.privateKey, other.key.privateKey]) forged.push(await signed(key, header, claims()));
    forged.push(await signed(other.key.privateKey, { ...header, kid: other.key.publicJwk.kid! }, claims()));
    const accepted: string[] = [];
    for (const assertion of forged) {
      await present(assertion).then(
        () => accepted.push(assertion),
        (error: { code?: string }) => assert.equal(error.code, 'invalid_client', String(error)),
      );
    }
    assert.deepEqual(accepted, []);
    assert.ok(forged.length > 125, String(forged.length));
  });
});
