/** Requests to the admin API with tokens that are bound to a DPoP key, each with a proof. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { decodeJwt, exportJWK } from 'jose';
import { httpAuthorization } from '../../../clients/typescript/connection/http-authorization.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { addClient, type IdentityRig, startIdentityRig } from '../../support/identity-rig.js';

describe('the HTTP requests of a client with a key', () => {
  let rig: IdentityRig;
  let credentials: Parameters<typeof httpAuthorization>[0]['credentials'] & object;
  let url: URL;
  before(async () => {
    rig = await startIdentityRig();
    const { id, key } = await addClient(rig, 'acme', ['admin']);
    url = new URL(`${rig.url}/v1/clients`);
    const { issuer } = rig.identity;
    credentials = { clientId: id, tokenUrl: `${rig.url}/oauth2/token`, issuer, key: await exportJWK(key.privateKey) };
  });
  after(() => rig.close());

  const status = async (headers: Readonly<Record<string, string>>, method = 'GET', to = url): Promise<number> =>
    (await fetch(to, { method, headers: { ...headers } })).status;

  it('are taken, each with a proof of its own over one token', async () => {
    const authorize = await httpAuthorization({ credentials });
    const first = await authorize('GET', url);
    const second = await authorize('GET', new URL('?tenant=acme', url));
    assert.equal(await status(first), 200);
    assert.equal(await status(second, 'GET', new URL('?tenant=acme', url)), 200);
    assert.equal(first.authorization, second.authorization);
    assert.notEqual(first.dpop, second.dpop);
    const { cnf } = decodeJwt<{ readonly cnf?: Record<string, string> }>(first.authorization!.slice('DPoP '.length));
    assert.deepEqual(Object.keys(cnf!), ['jkt']);
  });

  it('are of no use to who has read one: not again, not elsewhere, not as a bearer, not with a proof of another key', async () => {
    const mine = await httpAuthorization({ credentials });
    const read = await mine('GET', url);
    assert.equal(await status(read), 200);
    assert.equal(await status(read), 401);
    const { authorization = '' } = read;
    assert.equal(await status({ authorization }), 401);
    assert.equal(await status({ authorization: authorization.replace('DPoP', 'Bearer') }), 401);
    assert.equal(await status(await mine('POST', url)), 401);
    assert.equal(await status(await mine('GET', new URL('/v1/clients/x', url))), 401);
    const another = await (await httpAuthorization({ credentials }))('GET', url);
    assert.equal(await status({ ...another, authorization }), 401);
  });

  it('have a bearer token where that is what the holder has', async () => {
    const request = { tenant: 'operator', scopes: ['admin'], ttlSeconds: 60 } as const;
    const token = await issueToken(rig.ring, rig.identity, request, rig.now());
    assert.equal(await status(await (await httpAuthorization({ token }))('GET', url)), 200);
    const opaque = await (await httpAuthorization({ token: 'an-opaque-token' }))('GET', url);
    assert.deepEqual(opaque, { authorization: 'Bearer an-opaque-token' });
  });

  it('tell the gateway nothing of the private keys', async () => {
    const headers = await (await httpAuthorization({ credentials }))('GET', url);
    const header = Buffer.from(headers.dpop!.split('.')[0]!, 'base64url').toString();
    assert.deepEqual(Object.keys((JSON.parse(header) as { jwk: object }).jwk).sort(), ['crv', 'kty', 'x']);
    assert.ok(!(await readFile(`${rig.dir}/gateway.db`)).includes(credentials.key.d!));
  });
});
