/**
 * A tenant's token with every kind of another tenant's id, in every call: the answer is the one for
 * an id that never was. A method, a route or a field without a row here fails.
 */
import assert from 'node:assert/strict';
import { credentials, type Metadata } from '@grpc/grpc-js';
import { SignJWT } from 'jose';
import { loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import type { DecodeClient } from '../../../src/protocol/wire/generated/cutlayer/v1/Decode.js';
import type { DecodeRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { arithmeticDecoder } from '../../support/arithmetic-decoder.js';
import { openDecodeStream } from '../../support/decode-stream.js';
import { depth } from '../../support/exhaustive.js';
import { ASSERTION, newTestKey, type TestKey } from '../../support/identity-rig.js';
import { requestTexts } from '../../support/request-texts.js';
import { routesOf } from '../../support/routes.js';
import { outcomeOf } from '../../support/same-answer.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const rows = (...shape: number[]) => {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i));
  return encodeTensor(f32(shape, values), 'f32');
};

/** Asks with an id; `as` is a tenant that nobody else is. */
type Ask = (id: string, as: string) => Promise<unknown>;
/** How a field is asked with, or why it names nothing of a tenant. */
type Field = Ask | string;

/** What a tenant has ids of. */
const kinds = ['step', 'session', 'fork', 'client', 'tenant'] as const;
type Kind = (typeof kinds)[number];

const model = 'the model, which every tenant may name';
const filter = 'bounds the answer to what the caller may read anyway';

describe("another tenant's ids at a gateway", () => {
  let running: TestGateway;
  let calls: SplitCalls;
  let decode: DecodeClient;
  let key: TestKey;
  let ids: Readonly<Record<Kind, string>>;
  let number = 0;

  const owner = 'bolt';
  const as = async (tenant: string): Promise<Metadata> => bearer(await running.token({ tenant, scopes: ['train', 'infer', 'model:read'] }));
  const digest = () => running.gateway.backboneDigest;
  const forward = (stepId: string) => ({
    ...{ stepId, backboneDigest: digest(), hiddenStates: rows(1, 4, 8), lengths: [4], positions: [], training: true },
  });
  const opening = (sessionId: string): DecodeRequest => ({ open: { sessionId, backboneDigest: digest(), maxRows: 16 } });
  /** The last answer of a stream of its own. */
  const streamed = async (tenant: string, ...messages: readonly DecodeRequest[]): Promise<unknown> => {
    const stream = openDecodeStream(decode, await as(tenant));
    let answer: unknown;
    try {
      for (const message of messages) answer = await stream.ask(message);
      await stream.end();
    } finally {
      stream.call.cancel();
    }
    return answer;
  };

  before(async () => {
    const decoder = () => ({ maxRows: 64, longRows: 0, maxBatch: 8, open: async () => arithmeticDecoder(64) });
    running = await startTestGateway({ start: { maxTokens: 64, allowPrefixInit: true, insecure: true }, decoder });
    calls = splitCalls(running.connect());
    decode = new (loadDecodeService())(running.gateway.listen, credentials.createInsecure());
    key = await newTestKey();
    const admin = await running.token({ tenant: 'vendor', scopes: ['admin'] });
    const response = await fetch(`http://${running.gateway.admin}/v1/clients`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${admin}` },
      body: JSON.stringify({ tenant: owner, scopes: ['train', 'infer'], keys: key.publicJwk }),
    });
    const { client } = (await response.json()) as { client: { id: string } };
    await calls.forward(forward('step-b'), await as(owner));
    await streamed(owner, opening('session-b'), { append: { from: 0, rows: rows(3, 8) } }, { fork: { sessionId: 'fork-b' } });
    ids = { step: 'step-b', session: 'session-b', fork: 'fork-b', client: client.id, tenant: owner };
  });
  after(async () => {
    decode.close();
    await running.close();
  });

  /** Each id of the owner, of whatever kind, is answered as one that never was. */
  const asNothing = async (ask: Ask, kinds: readonly Kind[]): Promise<void> => {
    const never = `never-${number++}`;
    const expected = await outcomeOf(ask(never, `stranger-${number++}`), never);
    for (const kind of kinds) assert.equal(await outcomeOf(ask(ids[kind], `stranger-${number++}`), ids[kind]), expected, kind);
  };
  const checkAll = async (fields: Readonly<Record<string, Field>>, sample: readonly Kind[]): Promise<void> => {
    for (const [name, ask] of Object.entries(fields)) {
      if (typeof ask === 'string') continue;
      await asNothing(ask, depth(kinds, sample)).catch((error: Error) => {
        error.message = `${name}: ${error.message}`;
        throw error;
      });
    }
  };

  const splitFields: Readonly<Record<string, Field>> = {
    'Forward.stepId': async (id, tenant) => calls.forward(forward(id), await as(tenant)),
    'Forward.backboneDigest': model,
    'Backward.stepId': async (id, tenant) =>
      calls.backward({ stepId: id, cotangent: rows(4, 8), wantHiddenStates: true }, await as(tenant)),
    'KeyValues.backboneDigest': model,
  };
  const decodeFields: Readonly<Record<string, Field>> = {
    'Decode.open.sessionId': (id, tenant) => streamed(tenant, opening(id)),
    'Decode.open.backboneDigest': model,
    'Decode.resume.sessionId': (id, tenant) => streamed(tenant, { resume: { sessionId: id, length: 3 } }),
    'Decode.fork.sessionId': (id, tenant) => streamed(tenant, opening('own'), { fork: { sessionId: id } }),
  };

  for (const [file, service, fields] of [
    ['cutlayer/v1/split.proto', 'cutlayer.v1.Split', splitFields],
    ['cutlayer/v1/decode.proto', 'cutlayer.v1.Decode', decodeFields],
  ] as const) {
    it(`say nothing in ${service}, whose every text has a row`, async () => {
      assert.deepEqual(Object.keys(fields).sort(), [...requestTexts(file, service).fields].sort());
      await checkAll(fields, ['step', 'session', 'fork']);
    });
  }

  it('leave what they name as it was', async () => {
    const backward = await calls.backward({ stepId: 'step-b', cotangent: rows(4, 8), wantHiddenStates: true }, await as(owner));
    assert.equal(backward.hiddenStatesCotangent?.shape.join(), '1,4,8');
    for (const sessionId of ['session-b', 'fork-b'])
      assert.deepEqual(await streamed(owner, { resume: { sessionId, length: 3 } }), { length: 3, rows: null });
  });

  it('say nothing on the admin port, whose every route and field has a row', async () => {
    const { gateway } = running;
    const http = async (method: string, path: string, { tenant, json, form }: { tenant?: string; json?: unknown; form?: object } = {}) => {
      const type = json !== undefined ? 'application/json' : form !== undefined ? 'application/x-www-form-urlencoded' : undefined;
      const body = json !== undefined ? JSON.stringify(json) : form !== undefined ? new URLSearchParams({ ...form }).toString() : undefined;
      const token = tenant === undefined ? undefined : await running.token({ tenant, scopes: ['train', 'infer', 'model:read'] });
      const headers = { ...(type && { 'content-type': type }), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
      const response = await fetch(`http://${gateway.admin}${path}`, { method, headers, ...(body !== undefined && { body }) });
      const { date: _, 'content-length': _length, etag: _etag, ...shown } = Object.fromEntries(response.headers);
      return { status: response.status, headers: shown, text: await response.text() };
    };
    const ofTenant = (method: string, path: (id: string) => string, json?: (id: string) => unknown): Ask => {
      return (id, tenant) => http(method, path(id), { tenant, json: json?.(id) });
    };
    const byAssertion = (path: string, more: object): Ask => {
      return async (id) => {
        const forger = await newTestKey();
        const seconds = Math.floor(Date.now() / 1000);
        const claims = { iss: id, sub: id, aud: running.identity.issuer, iat: seconds, exp: seconds + 60, jti: `j-${number++}` };
        const assertion = new SignJWT(claims).setProtectedHeader({ alg: forger.alg, kid: key.publicJwk.kid! });
        const client_assertion = await assertion.sign(forger.privateKey);
        return http('POST', path, { form: { ...more, client_assertion_type: ASSERTION, client_assertion, client_id: id } });
      };
    };
    const one = (method: string, action = '', json?: unknown): Readonly<Record<string, Field>> => ({
      name: ofTenant(method, (id) => `/v1/admin/tenants/${id}${action}`, json === undefined ? undefined : () => json),
    });
    const routes: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
      'GET /.well-known/jwks.json': {},
      'GET /.well-known/oauth-authorization-server': {},
      'GET /.well-known/oauth-protected-resource': {},
      // The page of operators; below /admin/v1 it has the routes of /v1 again, for a cookie.
      'GET /admin': {},
      'GET /admin/assets/{name}': { name: 'a file of the package' },
      'GET /admin/session': {},
      'POST /admin/session': {},
      'DELETE /admin/session': {},
      'GET /healthz': {},
      'GET /metrics': {},
      'GET /v1/openapi.json': {},
      'POST /oauth2/token': {
        ...{ grant_type: 'a word', scope: 'names of rights', resource: 'the name of the gateway', DPoP: 'a proof of a key' },
        ...{ client_assertion_type: 'a word', client_assertion: 'a secret, which client_id tries' },
        client_id: byAssertion('/oauth2/token', { grant_type: 'client_credentials' }),
        client_secret: (id) =>
          http('POST', '/oauth2/token', { form: { grant_type: 'client_credentials', client_id: id, client_secret: 's'.repeat(43) } }),
      },
      'POST /oauth2/revoke': {
        ...{ client_secret: 'a secret, which the token endpoint tries', token_type_hint: 'a word' },
        ...{ client_assertion_type: 'a word', client_assertion: 'a secret, which client_id tries' },
        client_id: byAssertion('/oauth2/revoke', { token: 'x' }),
        token: 'no id but a secret: who holds it can verify it with the published keys',
      },
      'GET /v1/clients': { tenant: ofTenant('GET', (id) => `/v1/clients?tenant=${id}`) },
      'POST /v1/clients': {
        tenant: ofTenant(
          'POST',
          () => '/v1/clients',
          (id) => ({ tenant: id }),
        ),
        scopes: 'names of rights',
        keys: "the new client's own",
      },
      'POST /v1/clients/{id}/disable': { id: ofTenant('POST', (id) => `/v1/clients/${id}/disable`) },
      'GET /v1/usage': {
        tenant: ofTenant('GET', (id) => `/v1/usage?tenant=${id}`),
        ...{ from: filter, to: filter, by: filter, model: filter, adapter: filter, limit: filter, cursor: filter, format: filter },
      },
      'GET /v1/admin/audit': { kind: filter, limit: filter },
      'GET /v1/admin/federations': {},
      'GET /v1/admin/load': { span: filter, after: 'a time' },
      'GET /v1/admin/model': {},
      'GET /v1/admin/use': {
        after: ofTenant('GET', (id) => `/v1/admin/use?after=${id}`),
        part: ofTenant('GET', (id) => `/v1/admin/use?part=${id}`),
        limit: filter,
      },
      'GET /v1/admin/tenants': {
        after: ofTenant('GET', (id) => `/v1/admin/tenants?after=${id}`),
        ...{ limit: filter, status: filter },
      },
      'POST /v1/admin/tenants': {
        name: ofTenant(
          'POST',
          () => '/v1/admin/tenants',
          (id) => ({ name: id }),
        ),
        limits: 'numbers',
      },
      'GET /v1/admin/tenants/{name}': one('GET'),
      'PATCH /v1/admin/tenants/{name}': { ...one('PATCH', '', { limits: {} }), limits: 'numbers', protection: 'numbers' },
      'DELETE /v1/admin/tenants/{name}': one('DELETE'),
      'POST /v1/admin/tenants/{name}/suspend': one('POST', '/suspend'),
      'POST /v1/admin/tenants/{name}/resume': one('POST', '/resume'),
    };
    assert.deepEqual(routesOf(gateway.adminApp, gateway.adminRouters), Object.keys(routes).sort());
    for (const [route, fields] of statedFields(JSON.parse((await http('GET', '/v1/openapi.json')).text)))
      assert.deepEqual(Object.keys(routes[route]!).sort(), fields, route);
    for (const fields of Object.values(routes)) await checkAll(fields, ['client', 'tenant']);
    const listed = await http('GET', '/v1/usage?tenant=bolt', { tenant: owner });
    assert.match(listed.text, /"tenant":"bolt"/, 'there is something to be told');
  });
});

/** Parameters and fields of bodies, by route, as the OpenAPI document states them. */
function statedFields({ paths }: { paths: Record<string, Record<string, Operation>> }): [string, string[]][] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody }]): [string, string[]] => {
      const body = Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => Object.keys(schema.properties ?? {}));
      return [`${method.toUpperCase()} ${path}`, [...parameters.map(({ name }) => name), ...body].sort()];
    }),
  );
}

interface Operation {
  readonly parameters: readonly { readonly name: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>> };
}
