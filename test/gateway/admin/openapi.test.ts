/** The OpenAPI document of a running gateway against the routes that it serves, and their answers. */
import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { newTestKey } from '../../support/identity-rig.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

/** Served by the app itself, before any router. */
const ownPaths = ['get /.well-known/jwks.json', 'get /healthz', 'get /metrics'];

describe('the OpenAPI document of a gateway', () => {
  let gateway: TestGateway;
  let url: string;
  let admin: Readonly<Record<string, string>>;
  let paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });

  before(async () => {
    gateway = await startTestGateway();
    url = `http://${gateway.gateway.admin}`;
    admin = { authorization: `Bearer ${await gateway.token({ tenant: 'operator', scopes: ['admin'] })}` };
    const document = (await (await fetch(`${url}/v1/openapi.json`)).json()) as { readonly paths: typeof paths };
    ({ paths } = document);
    ajv.addSchema(document, 'api');
  });
  after(() => gateway.close());

  /** Asks, and holds the answer against the schema of its status. */
  async function ask(method: string, path: string, init: RequestInit = {}, template = path): Promise<readonly [number, never]> {
    const response = await fetch(`${url}${path}`, { method, ...init });
    const body = await response.text();
    const pointer = ['paths', template, method.toLowerCase(), 'responses', String(response.status)];
    const at = (more: readonly string[]): ValidateFunction | undefined => {
      const parts = [...pointer, ...more].map((part) => encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1')));
      return ajv.getSchema(`api#/${parts.join('/')}`);
    };
    const type = response.headers.get('content-type')?.split(';')[0];
    if (body === '') assert.ok(at([]) !== undefined, `${method} ${template} has no ${response.status}`);
    else {
      const validate = at(['content', type ?? '', 'schema']);
      assert.ok(validate !== undefined, `${method} ${template} has no ${response.status} of ${type}`);
      const value: unknown = type === 'application/json' ? JSON.parse(body) : body;
      assert.ok(validate(value), `${method} ${template} ${response.status}: ${ajv.errorsText(validate.errors)}`);
    }
    return [response.status, (type === 'application/json' ? JSON.parse(body) : undefined) as never];
  }

  it('has an entry for every route of every router, and no other, each with a name of its own', () => {
    // The page for people is no API: its router has what a browser asks for.
    const routers = Object.entries(gateway.gateway.adminRouters).filter(([mount]) => mount !== '/admin');
    const served = routers.flatMap(([mount, router]) =>
      router.stack.flatMap(({ route }) =>
        route === undefined
          ? []
          : route.stack.map(({ method }) => `${method} ${`${mount}${route.path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')}`),
      ),
    );
    const named = [...ownPaths, ...served].map((route) => route.replace(/:(\w+)/g, '{$1}'));
    const documented = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    assert.deepEqual([...new Set(named)].sort(), ['get /v1/openapi.json', ...documented].sort());
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    assert.equal(new Set(operations).size, operations.length);
    assert.ok(operations.length >= 17, `${operations.length}`);
  });

  it('describes the answers about clients, tokens and metadata', async () => {
    for (const path of [
      '/.well-known/oauth-protected-resource',
      '/.well-known/oauth-authorization-server',
      ...ownPaths.map((own) => own.slice(4)),
    ])
      assert.equal((await ask('GET', path))[0], 200);
    const json = { ...admin, 'content-type': 'application/json' };
    const { publicJwk } = await newTestKey();
    const [status, added] = await ask('POST', '/v1/clients', { headers: json, body: JSON.stringify({ tenant: 'acme' }) });
    assert.equal(status, 201);
    const { client, secret } = added as { client: { id: string }; secret: string };
    assert.equal((await ask('POST', '/v1/clients', { headers: json, body: JSON.stringify({ tenant: 'acme', keys: publicJwk }) }))[0], 201);
    assert.equal((await ask('POST', '/v1/clients', { headers: json, body: '{}' }))[0], 400);
    assert.equal((await ask('GET', '/v1/clients', { headers: admin }))[0], 200);
    assert.equal((await ask('GET', '/v1/clients'))[0], 401);
    const proof = { client_id: client.id, client_secret: secret };
    const post = (path: string, fields: Record<string, string>) => ask('POST', path, { body: new URLSearchParams(fields) });
    const [given, token] = await post('/oauth2/token', { grant_type: 'client_credentials', ...proof });
    assert.equal(given, 200);
    assert.equal((await post('/oauth2/token', { grant_type: 'password', ...proof }))[0], 400);
    assert.equal((await post('/oauth2/token', { grant_type: 'client_credentials', ...proof, client_secret: 'x' }))[0], 401);
    assert.equal((await post('/oauth2/revoke', { token: (token as { access_token: string }).access_token, ...proof }))[0], 200);
    const disable = (id: string) => ask('POST', `/v1/clients/${id}/disable`, { headers: admin }, '/v1/clients/{id}/disable');
    assert.equal((await disable(client.id))[0], 204);
    assert.equal((await disable('client_none'))[0], 404);
  });
});
