import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { SecretHasher } from '../../../src/gateway/identity/client-secret.js';
import { DpopProofs } from '../../../src/server/auth/dpop.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { ASSERTION, addClient, type IdentityRig, newTestKey, startIdentityRig, type TestKey } from '../../support/identity-rig.js';

describe('the token endpoint', () => {
  let rig: IdentityRig;
  before(async () => {
    rig = await startIdentityRig();
  });
  after(() => rig.close());

  const tokenOf = (body: Record<string, unknown>): string => String(body.access_token);
  const admin = async () => {
    const request = { tenant: 'operator', scopes: ['admin'], ttlSeconds: 60 } as const;
    return { authorization: `Bearer ${await issueToken(rig.ring, rig.identity, request, rig.now())}` };
  };
  const proofOf = (key: TestKey, method: string, url: string, token?: string, claims: Record<string, unknown> = {}) => {
    const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') };
    return new SignJWT({ htm: method, htu: url, iat: Math.floor(rig.now() / 1000), jti: randomUUID(), ...ath, ...claims })
      .setProtectedHeader({ alg: key.alg, typ: 'dpop+jwt', jwk: key.publicJwk })
      .sign(key.privateKey);
  };

  it('gives a client with a key an access token of ten minutes at most, for its tenant and scopes', async () => {
    const { id, key } = await addClient(rig, 'acme');
    const { status, headers, body } = await rig.token(id, key);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.token_type, body.expires_in, body.scope], ['Bearer', 600, 'train infer']);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(decodeProtectedHeader(tokenOf(body)).typ, 'at+jwt');
    const { iss, aud, sub, client_id, tenant, exp, iat } = decodeJwt(tokenOf(body));
    assert.deepEqual([iss, aud, sub, client_id, tenant, exp! - iat!], [rig.identity.issuer, rig.identity.audience, id, id, 'acme', 600]);
    const principal = await rig.verify(tokenOf(body));
    assert.deepEqual([principal.tenant, [...principal.scopes], principal.clientId], ['acme', ['train', 'infer'], id]);
  });

  it('takes P-256 keys, and gives the scopes that were asked for, not more than the client has', async () => {
    const key = await newTestKey('ES256');
    const { client } = await rig.registry.add({ tenant: 'acme', scopes: ['train', 'infer'], keys: { keys: [key.publicJwk] } });
    const { body } = await rig.token(client.id, key, { scope: 'infer' });
    assert.equal(body.scope, 'infer');
    for (const scope of ['admin', 'infer admin', 'everything', ' ']) {
      assert.equal((await rig.token(client.id, key, { scope })).body.error, 'invalid_scope', scope);
    }
    assert.equal((await rig.token(client.id, key, { resource: 'urn:other' })).body.error, 'invalid_target');
  });

  it('takes each assertion once', async () => {
    const { id, key } = await addClient(rig, 'acme');
    const form = { grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion: await rig.assertion(id, key) };
    const answers = await Promise.all([1, 2, 3].map(() => rig.post('/oauth2/token', form)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401]);
    assert.equal((await rig.post('/oauth2/token', form)).body.error, 'invalid_client');
  });

  it('takes a secret, in the header or in the form, and keeps its hash alone', async () => {
    const { client, secret } = await rig.registry.add({ tenant: 'acme', scopes: ['infer'] });
    const basic = (id: string, text: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}` });
    const form = { grant_type: 'client_credentials' };
    assert.equal((await rig.post('/oauth2/token', form, basic(client.id, secret!))).status, 200);
    assert.equal((await rig.post('/oauth2/token', { ...form, client_id: client.id, client_secret: secret! })).status, 200);
    const wrong = await rig.post('/oauth2/token', form, basic(client.id, `${secret}x`));
    assert.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client']);
    assert.match(wrong.headers.get('www-authenticate') ?? '', /^Basic /);
    const unknown = await rig.post('/oauth2/token', form, basic('client_none', secret!));
    assert.deepEqual(unknown.body, wrong.body);
    const row = await rig.database.transaction(({ clients }) => clients.read(client.id));
    assert.ok(!JSON.stringify(row).includes(secret!));
  });

  it('bounds the secrets that are hashed at once', async () => {
    const hasher = new SecretHasher({ atOnce: 1, mostWaiting: 1, work: 1024 });
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => hasher.matches('secret', undefined)));
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code)),
      [false, false, 'temporarily_unavailable'],
    );
  });

  it('revokes a token of the client that asks, and says nothing of others', async () => {
    const { id, key } = await addClient(rig, 'acme');
    const other = await addClient(rig, 'acme');
    const token = tokenOf((await rig.token(id, key)).body);
    const revoke = async (client: { id: string; key: TestKey }, form: Record<string, string>) =>
      rig.post('/oauth2/revoke', {
        client_assertion_type: ASSERTION,
        client_assertion: await rig.assertion(client.id, client.key),
        ...form,
      });
    assert.equal((await revoke(other, { token })).body.error, 'unauthorized_client');
    await rig.verify(token);
    assert.equal((await revoke({ id, key }, { token: 'a.b.c' })).status, 200);
    assert.equal((await revoke({ id, key }, { token })).status, 200);
    await assert.rejects(rig.verify(token), { code: 'TOKEN_INVALID', message: 'token: invalid' });
    assert.equal((await revoke({ id, key }, { token })).status, 200);
    assert.equal((await rig.post('/oauth2/revoke', { token })).body.error, 'invalid_request');
  });

  it('ends a disabled client: it gets no token, and those that it has are void', async () => {
    const { id, key } = await addClient(rig, 'acme');
    const token = tokenOf((await rig.token(id, key)).body);
    const disabled = await fetch(`${rig.url}/v1/clients/${id}/disable`, { method: 'POST', headers: await admin() });
    assert.equal(disabled.status, 204);
    await assert.rejects(rig.verify(token), { code: 'TOKEN_INVALID' });
    assert.equal((await rig.token(id, key)).body.error, 'invalid_client');
  });

  it('gives a suspended tenant no token', async () => {
    const { id, key } = await addClient(rig, 'late');
    await rig.database.transaction(async ({ tenants }) => {
      await tenants.add({ name: 'late', limits: {}, at: 1 });
      await tenants.change('late', ['active'], { status: 'suspended', at: 2 });
    });
    assert.equal((await rig.token(id, key)).body.error, 'unauthorized_client');
  });

  it('binds a token to the key of a DPoP proof; it is then void without a proof of each request', async () => {
    const { id, key } = await addClient(rig, 'operator', ['admin']);
    const sender = await newTestKey('ES256');
    const url = `${rig.url}/oauth2/token`;
    const proof = await proofOf(sender, 'POST', url);
    const { body } = await rig.token(id, key, {}, { dpop: proof });
    assert.equal(body.token_type, 'DPoP', JSON.stringify(body));
    assert.equal((await rig.token(id, key, {}, { dpop: proof })).body.error, 'invalid_dpop_proof', 'a proof is taken once');
    const token = tokenOf(body);
    const list = `${rig.url}/v1/clients`;
    const status = async (headers: Record<string, string>) => (await fetch(list, { headers })).status;
    assert.equal(await status({ authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list, token) }), 200);
    const stranger = await newTestKey('ES256');
    const refused: readonly [string, Record<string, string>][] = [
      ['as bearer', { authorization: `Bearer ${token}` }],
      ['as bearer, with a proof', { authorization: `Bearer ${token}`, dpop: await proofOf(sender, 'GET', list, token) }],
      ['without a proof', { authorization: `DPoP ${token}` }],
      ['of another key', { authorization: `DPoP ${token}`, dpop: await proofOf(stranger, 'GET', list, token) }],
      ['for another method', { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'POST', list, token) }],
      ['for another path', { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', url, token) }],
      [
        'for another host',
        { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', 'https://other.example/v1/clients', token) },
      ],
      ['for another token', { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list, `${token}x`) }],
      ['for no token', { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list) }],
      [
        'of an hour ago',
        { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list, token, { iat: rig.now() / 1000 - 3600 }) },
      ],
      [
        'of the future',
        { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list, token, { iat: rig.now() / 1000 + 90 }) },
      ],
      ['without an id', { authorization: `DPoP ${token}`, dpop: await proofOf(sender, 'GET', list, token, { jti: undefined }) }],
    ];
    for (const [what, headers] of refused) assert.equal(await status(headers), 401, what);
    const unbound = tokenOf((await rig.token(id, key)).body);
    assert.equal(await status({ authorization: `DPoP ${unbound}`, dpop: await proofOf(sender, 'GET', list, unbound) }), 401);
  });

  it('takes no proof that is older than its process, which does not know which were used', async () => {
    const key = await newTestKey();
    const proof = await proofOf(key, 'GET', 'https://a.example/x');
    const request = { method: 'GET', url: 'https://a.example/x' };
    await new DpopProofs(() => rig.now()).take(proof, request);
    await assert.rejects(new DpopProofs(() => rig.now() + 5000).take(proof, request), { code: 'PROOF_REFUSED' });
  });

  it('tells other programs where it is and what it takes, by the names of RFC 8414 and RFC 9728', async () => {
    const read = async (url: string) => (await (await fetch(url)).json()) as Record<string, string>;
    const server = await read(`${rig.url}/.well-known/oauth-authorization-server`);
    assert.equal(server.issuer, rig.identity.issuer);
    assert.equal(server.token_endpoint, `${rig.url}/oauth2/token`);
    assert.deepEqual(server.grant_types_supported, ['client_credentials']);
    assert.ok(server.token_endpoint_auth_methods_supported!.includes('private_key_jwt'));
    assert.equal((await fetch(server.jwks_uri!)).status, 200);
    const resource = await read(`${rig.url}/.well-known/oauth-protected-resource`);
    assert.deepEqual([resource.resource, resource.authorization_servers], [rig.identity.audience, [rig.identity.issuer]]);
  });

  it('answers malformed requests by the error codes of RFC 6749', async () => {
    const { id, key } = await addClient(rig, 'acme');
    const proof = async () => `client_assertion_type=${encodeURIComponent(ASSERTION)}&client_assertion=${await rig.assertion(id, key)}`;
    const grant = 'grant_type=client_credentials';
    const refused: readonly [string, string, string][] = [
      ['no grant', await proof(), 'invalid_request'],
      ['another grant', `grant_type=password&${await proof()}`, 'unsupported_grant_type'],
      ['no client', grant, 'invalid_request'],
      ['two proofs', `${grant}&${await proof()}&client_secret=x`, 'invalid_request'],
      ['a repeated parameter', `${grant}&${grant}&${await proof()}`, 'invalid_request'],
      ['another type of assertion', `${grant}&client_assertion_type=x&client_assertion=${await rig.assertion(id, key)}`, 'invalid_request'],
      ['another client_id', `${grant}&client_id=other&${await proof()}`, 'invalid_client'],
      ['a secret for a client with a key', `${grant}&client_id=${id}&client_secret=x`, 'invalid_client'],
      ['too large a body', `${grant}&x=${'x'.repeat(20_000)}`, 'invalid_request'],
      ['too many parameters', `${grant}&${'a=1&'.repeat(100)}`, 'invalid_request'],
      ['names of objects', `${grant}&__proto__=x&constructor=y`, 'invalid_request'],
    ];
    for (const [what, form, error] of refused) assert.equal((await rig.post('/oauth2/token', form)).body.error, error, what);
    const json = await rig.post('/oauth2/token', '{}', { 'content-type': 'application/json' });
    assert.equal(json.body.error, 'invalid_request');
  });

  it('lists, adds and disables clients for the scope admin alone', async () => {
    const list = `${rig.url}/v1/clients`;
    const tenant = await issueToken(rig.ring, rig.identity, { tenant: 'acme', scopes: ['train'], ttlSeconds: 60 }, rig.now());
    assert.equal((await fetch(list)).status, 401);
    assert.equal((await fetch(list, { headers: { authorization: `Bearer ${tenant}` } })).status, 403);
    const headers = { ...(await admin()), 'content-type': 'application/json' };
    const add = (body: unknown) => fetch(list, { method: 'POST', headers, body: JSON.stringify(body) });
    const added = (await (await add({ tenant: 'zoe', scopes: ['infer'] })).json()) as { client: unknown; secret: string };
    assert.equal(added.secret.length, 43);
    const listed = await (await fetch(`${list}?tenant=zoe`, { headers })).json();
    assert.deepEqual(listed, { clients: [added.client] });
    const { privateKey: _, publicJwk } = await newTestKey();
    const bad = [
      {},
      { tenant: 'a b' },
      { tenant: 'a', scopes: [] },
      { tenant: 'a', scopes: ['all'] },
      { tenant: 'a', keys: { ...publicJwk, d: 'x' } },
    ];
    for (const body of bad) assert.equal((await add(body)).status, 400, JSON.stringify(body));
    assert.equal((await fetch(`${list}/client_none/disable`, { method: 'POST', headers })).status, 404);
  });
});

describe('requests to the token endpoint', () => {
  it('are bounded for each address', async () => {
    const rig = await startIdentityRig();
    try {
      const answers = await Promise.all(Array.from({ length: 125 }, () => rig.post('/oauth2/token', {})));
      const slowed = answers.filter(({ status }) => status === 429);
      assert.equal(slowed.length, 5);
      assert.equal(slowed[0]!.body.error, 'slow_down');
      assert.ok(Number(slowed[0]!.headers.get('retry-after')) <= 60);
    } finally {
      await rig.close();
    }
  });
});
