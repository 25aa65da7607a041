import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Router } from 'express';
import { CutlayerError } from '../../../src/errors.js';
import { openAdminApi } from '../../../src/gateway/admin/open-admin.js';
import { MAX_BODY_BYTES } from '../../../src/gateway/admin/router.js';
import { noFile, Policies } from '../../../src/gateway/protection/policies.js';
import { standardPolicy } from '../../../src/gateway/protection/policy.js';
import { type GatewayDatabase, openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { openTenants, type Tenants } from '../../../src/gateway/tenants/open-tenants.js';
import { createAdminApp } from '../../../src/server/admin/app.js';
import { type AdminServer, listenAdmin } from '../../../src/server/admin/listen.js';
import type { Principal, Scope } from '../../../src/server/auth/scopes.js';
import { createLogger } from '../../../src/server/observability/log.js';
import { createCallMetrics } from '../../../src/server/observability/metrics.js';

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, object>> }>>>>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // JSON that the tests look into; its form is checked against the document.
  readonly body: { readonly [key: string]: never } & Record<string, unknown>;
}

describe("the administrator's API", () => {
  let dir: string;
  let database: GatewayDatabase;
  let tenants: Tenants;
  let admin: AdminServer;
  let router: Router;
  let document: Document;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const audited: object[] = [];
  let auditFails = false;

  /** Tokens are `tenant:scopes`. */
  const verify = async (token: string): Promise<Principal> => {
    const [tenant = '', scopes = ''] = token.split(':');
    if (tenant === 'forged') throw new CutlayerError('TOKEN_INVALID', 'token: invalid');
    return { tenant, scopes: new Set(scopes.split(',') as Scope[]), tokenId: 'x', issuedAt: Date.now(), expiresAt: Date.now() + 1000 };
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-admin-'));
    database = await openGatewayDatabase(join(dir, 'gateway.db'));
    const log = createLogger({ level: 'silent' });
    const config = { tenants: 'any', tenantRequestsPerSecond: undefined } as Parameters<typeof openTenants>[0]['config'];
    tenants = await openTenants({ config, database, verify, log, now: Date.now });
    const record = async (_event: string, fields: object = {}) => {
      if (auditFails) throw new CutlayerError('AUDIT_UNAVAILABLE', 'audit: no entry can be written');
      audited.push(fields);
    };
    const authenticate = ({ headers }: { headers: { authorization?: string | undefined } }) => {
      const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
      return token === undefined ? Promise.reject(new CutlayerError('TOKEN_MISSING', 'no token')) : verify(token);
    };
    const where = { admin: { host: '127.0.0.1', port: 0 }, adminTls: false };
    const file = { ...noFile, standard: { maxRowNorm: 9 } };
    const policies = new Policies({ standard: standardPolicy(64), embedding: {}, file, rows: tenants.directory });
    const api = { authenticate, tenants, policies, audit: { record }, credentials: 'insecure' } as const;
    assert.deepEqual(
      openAdminApi({ ...api, config: { ...where, admin: { host: '0.0.0.0', port: 0 } } }),
      {},
      'tokens would cross in the clear',
    );
    router = openAdminApi({ ...api, config: where })['/v1']!;
    const metrics = createCallMetrics({ process: false });
    admin = await listenAdmin(
      createAdminApp({ jwks: undefined, metrics, draining: () => false, log, routers: { '/v1': router } }),
      '127.0.0.1',
      0,
      log,
    );
    document = (await (await fetch(`http://127.0.0.1:${admin.port}/v1/openapi.json`)).json()) as Document;
    ajv.addSchema(document, 'api');
  });
  after(async () => {
    await admin.close();
    await tenants.close();
    await database.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Asks, and checks the answer against the schema that the document has for its status. */
  async function ask(
    method: string,
    path: string,
    { body, token = 'operator:admin', headers = {} }: { body?: unknown; token?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${admin.port}/v1/admin${path}`, {
      method,
      headers: {
        ...(token !== '' && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Answer['body'];
    const template = `/v1/admin${path.replace(/\?.*/, '').replace(/\/tenants\/[^/]+/, '/tenants/{name}')}`;
    const pointer = [
      'paths',
      template,
      method.toLowerCase(),
      'responses',
      String(response.status),
      'content',
      'application/json',
      'schema',
    ];
    const key = `api#/${pointer.map((part) => encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1'))).join('/')}`;
    const validate = ajv.getSchema(key);
    assert.ok(validate !== undefined, `${method} ${template} has no ${response.status} in the document`);
    assert.ok(validate(answer), `${method} ${template} ${response.status}: ${ajv.errorsText(validate.errors)}`);
    return { status: response.status, headers: response.headers, body: answer };
  }
  const codeOf = ({ body }: Answer): string => (body.error as unknown as { code: string }).code;

  it('has every route in its document, and no other', () => {
    const served = router.stack.flatMap(({ route }) =>
      route === undefined ? [] : route.stack.map(({ method }) => `${method} /v1${route.path.replace(/:(\w+)/g, '{$1}')}`),
    );
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    assert.deepEqual([...new Set(served)].sort(), ['get /v1/openapi.json', ...documented].sort());
    assert.equal(document.openapi, '3.1.0');
    assert.ok(documented.length >= 7);
  });

  it('makes, shows, suspends, resumes and deletes a tenant, each change audited', async () => {
    audited.length = 0;
    const made = await ask('POST', '/tenants', { body: { name: 'acme', limits: { tokensPerDay: 50 } } });
    assert.deepEqual([made.status, made.body.status, made.body.limits], [201, 'active', { tokensPerDay: 50 }]);
    assert.equal(codeOf(await ask('POST', '/tenants', { body: { name: 'acme' } })), 'ALREADY_EXISTS');
    assert.equal((await ask('POST', '/tenants/acme/suspend')).body.status, 'suspended');
    assert.throws(() => tenants.directory.require({ tenant: 'acme', scopes: new Set(), tokenId: '', issuedAt: Date.now(), expiresAt: 0 }));
    assert.equal((await ask('POST', '/tenants/acme/resume')).body.status, 'active');
    const changed = await ask('PATCH', '/tenants/acme', { body: { limits: { tokensPerDay: null, decodeSessions: 3 } } });
    assert.deepEqual(changed.body.limits, { decodeSessions: 3 });
    assert.equal((await ask('DELETE', '/tenants/acme')).body.status, 'deleted');
    assert.equal((await ask('GET', '/tenants/acme')).body.status, 'deleted');
    for (const path of ['/tenants/acme/suspend', '/tenants/acme/resume', '/tenants/nobody/suspend'])
      assert.equal((await ask('POST', path)).status, 404);
    assert.deepEqual(audited.slice(0, 3), [
      { action: 'tenant create', tenant: 'acme', by: 'operator' },
      { action: 'tenant create', tenant: 'acme', by: 'operator' },
      { action: 'tenant suspend', tenant: 'acme', by: 'operator' },
    ]);
  });

  it('sets, shows and clears the bounds of the protection, audited with what was set', async () => {
    const at = '/tenants/bound';
    await ask('POST', '/tenants', { body: { name: 'bound' } });
    assert.deepEqual((await ask('GET', at)).body.protection, null);
    audited.length = 0;
    const body = { protection: { rowsPerDay: 500, nearInputs: 'off' } };
    const { protection, effectiveProtection } = (await ask('PATCH', at, { body })).body;
    assert.deepEqual(protection, body.protection);
    const { rowsPerDay, nearInputs, maxRowNorm, minTokens } = effectiveProtection as unknown as Record<string, object>;
    assert.deepEqual(rowsPerDay, { bound: 500, from: 'tenant' });
    assert.deepEqual(nearInputs, { bound: null, from: 'tenant' });
    assert.deepEqual(maxRowNorm, { bound: 9, from: 'fileDefault' });
    assert.deepEqual(minTokens, { bound: 2, from: 'standard' });
    assert.equal(tenants.directory.protectionOf('bound')?.rowsPerDay, 500, 'the next call sees it');
    const merged = await ask('PATCH', at, { body: { protection: { rowsPerDay: null, minTokens: 4 }, limits: { tokensPerDay: 9 } } });
    assert.deepEqual([merged.body.protection, merged.body.limits], [{ nearInputs: 'off', minTokens: 4 }, { tokensPerDay: 9 }]);
    assert.equal((await ask('PATCH', at, { body: { protection: null } })).body.protection, null);
    const who = { tenant: 'bound', by: 'operator' };
    assert.deepEqual(audited, [
      { action: 'tenant protection', rowsPerDay: 500, nearInputs: 'off', ...who },
      { action: 'tenant limits and protection', rowsPerDay: 'cleared', minTokens: 4, ...who },
      { action: 'tenant protection', protection: 'cleared', ...who },
    ]);
    assert.equal((await ask('PATCH', '/tenants/nobody', { body })).status, 404);
    const { body: page } = await ask('GET', '/tenants?after=bound&limit=1');
    assert.ok((page.tenants as unknown as { effectiveProtection: unknown }[]).every((tenant) => tenant.effectiveProtection === null));
    await ask('PATCH', at, { body });
    assert.deepEqual((await ask('DELETE', at)).body.protection, null);
    assert.equal((await ask('POST', '/tenants', { body: { name: 'bound' } })).body.protection, null);
  });

  it('refuses bounds that the file could not have either, naming the field', async () => {
    await ask('POST', '/tenants', { body: { name: 'guarded' } });
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [{ protection: { rowsPerDay: 0 } }, /^body\.protection\.rowsPerDay: expected a whole number from 1 to \d+, or off$/],
      [{ protection: { minTokens: 1.5 } }, /^body\.protection\.minTokens: expected a whole number from 1 to 2147483647, or off$/],
      [{ protection: { alarmAt: 'off' } }, /^body\.protection\.alarmAt: expected a number above 0, and at most 1$/],
      [{ protection: { rows: 3 } }, /^body\.protection: expected backwardsPerForward, .*; got rows$/],
      [{ protection: { minRowNorm: 10 } }, /^protection\.minRowNorm: expected a number up to max-row-norm 9, got 10$/],
      [{}, /^body: expected limits or protection$/],
    ];
    for (const [body, message] of cases) {
      const answer = await ask('PATCH', '/tenants/guarded', { body });
      assert.equal(answer.status, 400);
      assert.match((answer.body.error as unknown as { message: string }).message, message);
    }
    assert.equal((await ask('GET', '/tenants/guarded')).body.protection, null);
  });

  it('changes nothing when the change cannot be audited', async () => {
    await ask('POST', '/tenants', { body: { name: 'kept' } });
    auditFails = true;
    assert.equal(codeOf(await ask('DELETE', '/tenants/kept')), 'AUDIT_UNAVAILABLE');
    auditFails = false;
    assert.equal((await ask('GET', '/tenants/kept')).body.status, 'active');
  });

  it('lists page by page', async () => {
    for (const name of ['p1', 'p2', 'p3']) await ask('POST', '/tenants', { body: { name } });
    const names: string[] = [];
    let after = 'p';
    for (;;) {
      const { body } = await ask('GET', `/tenants?limit=2&after=${after}`);
      names.push(...(body.tenants as unknown as { name: string }[]).map(({ name }) => name));
      if (body.next === null) break;
      after = String(body.next);
    }
    assert.deepEqual(names, ['p1', 'p2', 'p3']);
    const { body } = await ask('GET', '/tenants?status=deleted');
    assert.ok((body.tenants as unknown as { status: string }[]).every(({ status }) => status === 'deleted'));
  });

  it('refuses callers without the scope, before it reads a body', async () => {
    for (const [token, code] of [
      ['', 'TOKEN_MISSING'],
      ['forged', 'TOKEN_INVALID'],
      ['bolt:train,infer', 'SCOPE_MISSING'],
    ] as const) {
      const answer = await ask('POST', '/tenants', { token, body: 'x'.repeat(2 * MAX_BODY_BYTES) });
      assert.equal(codeOf(answer), code);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    }
  });

  it('refuses what is malformed, too large or unknown, naming the field', async () => {
    const cases: readonly (readonly [unknown, number, RegExp])[] = [
      [{ name: '../x' }, 400, /^body\.name: expected 1 to 64/],
      [{ name: 'a', limits: { tokensPerDay: 0 } }, 400, /^body\.limits\.tokensPerDay: /],
      [{ name: 'a', admin: true }, 400, /^body: /],
      ['{"name": ', 400, /malformed/],
      [{ name: 'x'.repeat(MAX_BODY_BYTES) }, 413, /larger than this path takes/],
    ];
    for (const [body, status, message] of cases) {
      const answer = await ask('POST', '/tenants', { body });
      assert.equal(answer.status, status);
      assert.match((answer.body.error as unknown as { message: string }).message, message);
    }
    assert.equal((await ask('GET', '/tenants?limit=0')).status, 400);
    assert.equal((await ask('GET', '/tenants?limt=1')).status, 400);
    assert.equal((await ask('POST', '/tenants', { body: '{}', headers: { 'content-type': 'text/plain' } })).status, 400);
  });

  it('answers 429 with Retry-After and the RateLimit headers', async () => {
    await ask('POST', '/tenants', { body: { name: 'slow', limits: { requestsPerSecond: 1 } } });
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask('GET', '/tenants?limit=1', { token: 'slow:admin' })));
    const refused = answers.find(({ status }) => status === 429)!;
    assert.equal(codeOf(refused), 'RATE_LIMITED');
    assert.equal(refused.headers.get('retry-after'), '1');
    assert.equal(refused.headers.get('ratelimit-policy'), '"requestsPerSecond";q=1;w=1');
    assert.equal(refused.headers.get('ratelimit'), '"requestsPerSecond";r=0;t=1');
  });

  it('refuses an administrator whose tenant is suspended', async () => {
    await ask('POST', '/tenants', { body: { name: 'left' } });
    await ask('POST', '/tenants/left/suspend');
    const response = await fetch(`http://127.0.0.1:${admin.port}/v1/admin/tenants`, { headers: { authorization: 'Bearer left:admin' } });
    assert.equal(response.status, 403);
  });
});
