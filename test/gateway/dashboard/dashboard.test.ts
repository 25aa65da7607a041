/** The page `/admin` over HTTP: its policy, its files, its session, and what a session may do. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../../src/files/package-root.js';
import { auditSchema } from '../../../src/gateway/admin/audit-answer.js';
import { federationsSchema } from '../../../src/gateway/admin/federations-answer.js';
import { loadSchema } from '../../../src/gateway/admin/load-answer.js';
import { LoadHistory } from '../../../src/gateway/admin/load-history.js';
import { modelSchema } from '../../../src/gateway/admin/model-answer.js';
import { useSchema } from '../../../src/gateway/admin/use-answer.js';
import { assets } from '../../../src/gateway/dashboard/assets.js';
import { MOST_SESSIONS, SESSION_MS, Sessions } from '../../../src/gateway/dashboard/sessions.js';
import { ATTEMPTS, signInLimit } from '../../../src/gateway/dashboard/sign-in-limit.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import type { Principal } from '../../../src/server/auth/scopes.js';
import { GatewayLoad, STEP_ROWS } from '../../support/gateway-load.js';
import { hasCode } from '../../support/has-code.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const schemas = { load: loadSchema, use: useSchema, audit: auditSchema, model: modelSchema, federations: federationsSchema } as const;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // JSON that a test looks into.
  // biome-ignore lint/suspicious/noExplicitAny: a test reads it by name
  readonly body: any;
}

describe('the page /admin', () => {
  let dir: string;
  let running: TestGateway;
  let load: GatewayLoad;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-dashboard-'));
    running = await startTestGateway({ start: { audit: join(dir, 'audit') } });
    load = new GatewayLoad(running);
  });
  after(async () => {
    await load.close();
    await running.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function ask(
    path: string,
    { headers = {}, ...init }: RequestInit & { readonly headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const response = await fetch(`http://${running.gateway.admin}${path}`, { redirect: 'manual', headers, ...init });
    const text = await response.text();
    const body = text.startsWith('{') ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, text, body };
  }

  const signIn = async (token: string, headers: Record<string, string> = {}): Promise<Answer> =>
    ask('/admin/session', { method: 'POST', headers: { authorization: `Bearer ${token}`, ...headers } });
  const cookieOf = ({ headers }: Answer): string => (headers.get('set-cookie') ?? '').split(';')[0]!;
  const admin = (): Promise<string> => running.token({ tenant: 'operator', scopes: ['admin'] });

  /** Headers of a signed-in page. */
  async function signedIn(): Promise<{ readonly cookie: string; readonly 'x-cutlayer-csrf': string }> {
    const answer = await signIn(await admin());
    assert.equal(answer.status, 201, answer.text);
    return { cookie: cookieOf(answer), 'x-cutlayer-csrf': answer.body.csrf };
  }

  it('has a policy without inline scripts and styles, other origins, frames, or text that becomes markup', async () => {
    const page = await ask('/admin');
    assert.equal(page.status, 200);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.doesNotMatch(policy, /unsafe|eval|\*|http/);
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
      assert.ok(policy.includes(part), part);
    for (const [name, value] of [
      ['x-content-type-options', 'nosniff'],
      ['referrer-policy', 'no-referrer'],
      ['cross-origin-opener-policy', 'same-origin'],
      ['cache-control', 'no-store'],
    ] as const)
      assert.equal(page.headers.get(name), value);
    assert.doesNotMatch(page.text, /<script(?![^>]* src="\/admin\/)|<style|style=|\son\w+=|https?:/);
  });

  it('serves every file that the page and its programs load, and no other', async () => {
    const { text } = await ask('/admin');
    const wanted = new Set([...text.matchAll(/\/admin\/assets\/([\w.-]+)/g)].map(([, name]) => name!));
    for (const name of assets.keys()) {
      const file = await ask(`/admin/assets/${name}`);
      assert.equal(file.status, 200, name);
      assert.match(file.headers.get('content-type') ?? '', /^(text\/javascript|text\/css|image\/svg\+xml)/);
      if (name.endsWith('.js')) for (const [, imported] of file.text.matchAll(/from '\.\/([\w.-]+)'/g)) wanted.add(imported!);
    }
    assert.deepEqual([...wanted].sort(), [...assets.keys()].sort());
    for (const path of ['/admin/assets/none.js', '/admin/assets/..%2fassets.js', '/admin/assets/%2e%2e/run.js', '/admin/other'])
      assert.equal((await ask(path)).status, 404, path);
  });

  it('serves the uPlot that the package pins', async () => {
    const { dependencies } = JSON.parse(await readFile(join(packageRoot(), 'package.json'), 'utf8'));
    assert.equal(dependencies.uplot, '1.6.32');
    const { text } = await ask('/admin/assets/uplot.js');
    assert.ok(text.includes(`(v${dependencies.uplot})`));
  });

  it('signs in with a token of the scope admin, into a cookie that no script and no other site sees', async () => {
    assert.deepEqual((await ask('/admin/session')).body, { signedIn: false });
    const answer = await signIn(await admin());
    assert.equal(answer.status, 201);
    const set = answer.headers.get('set-cookie')!;
    assert.match(set, /^cutlayer-admin=[\w-]{43}; Path=\/admin; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/);
    assert.ok(Number(/Max-Age=(\d+)/.exec(set)![1]) <= SESSION_MS / 1000);
    const { body } = await ask('/admin/session', { headers: { cookie: cookieOf(answer) } });
    assert.deepEqual([body.signedIn, body.tenant, body.csrf], [true, 'operator', answer.body.csrf]);
    assert.ok(!answer.text.includes(cookieOf(answer).split('=')[1]!), 'the value is in the cookie alone');
  });

  it('gives one answer to whatever is wrong with a sign-in', async () => {
    const expired = await running.token({ tenant: 'operator', scopes: ['admin'], ttlSeconds: 1 }, Date.now() - 3_600_000);
    // Of another gateway's keys, under the names of this one.
    const request = { tenant: 'operator', scopes: ['admin' as const], ttlSeconds: 600 };
    const foreign = await issueToken(await KeyRing.open(join(dir, 'other')), running.identity, request, Date.now());
    const answers = [];
    for (const token of [expired, foreign, await running.token({ scopes: ['train'] }), 'nonsense']) answers.push(await signIn(token));
    answers.push(await ask('/admin/session', { method: 'POST' }));
    for (const { status, text, headers } of answers) {
      assert.deepEqual([status, text], [401, answers[0]!.text]);
      assert.equal(headers.get('set-cookie'), null);
    }
  });

  it('takes no order without the second secret, and none from another origin or port', async () => {
    const { cookie, 'x-cutlayer-csrf': csrf } = await signedIn();
    const suspend = (headers: Record<string, string>) => ask('/admin/v1/admin/tenants/nobody/suspend', { method: 'POST', headers });
    assert.equal((await suspend({ cookie })).status, 401);
    assert.equal((await suspend({ cookie, 'x-cutlayer-csrf': 'x'.repeat(43) })).status, 401);
    assert.equal((await suspend({ 'x-cutlayer-csrf': csrf })).status, 401);
    const own = { cookie, 'x-cutlayer-csrf': csrf };
    for (const from of [
      { origin: 'http://127.0.0.1:1' },
      { origin: 'null' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
    ])
      assert.equal((await suspend({ ...own, ...from })).status, 403, JSON.stringify(from));
    assert.equal((await suspend({ ...own, origin: `http://${running.gateway.admin}`, 'sec-fetch-site': 'same-origin' })).status, 404);
    assert.equal((await ask('/admin/v1/admin/load', { headers: { cookie, origin: 'http://127.0.0.1:1' } })).status, 403);
    assert.equal((await signIn(await admin(), { origin: 'http://127.0.0.1:1' })).status, 403);
    // The cookie is for the page: the API of programs takes tokens alone.
    assert.equal((await ask('/v1/admin/tenants', { headers: own })).status, 401);
  });

  it('signs out: the cookie is void then, whoever has kept it', async () => {
    const headers = await signedIn();
    assert.equal((await ask('/admin/v1/admin/load', { headers })).status, 200);
    const out = await ask('/admin/session', { method: 'DELETE', headers });
    assert.match(out.headers.get('set-cookie') ?? '', /^cutlayer-admin=; .*Max-Age=0/);
    assert.equal((await ask('/admin/v1/admin/load', { headers })).status, 401);
    assert.deepEqual((await ask('/admin/session', { headers })).body, { signedIn: false });
  });

  it('shows load, use, model, federations and audit entries of real work, as their schemas say', async () => {
    await load.train('acme', 3);
    const headers = await signedIn();
    const get = async (path: string) => {
      const answer = await ask(`/admin/v1/admin/${path}`, { headers });
      assert.equal(answer.status, 200, answer.text);
      schemas[path.replace(/\?.*/, '') as keyof typeof schemas].parse(answer.body);
      return answer.body;
    };
    const { now, history } = await get('load');
    assert.deepEqual([now.status, now.model, now.workers, now.keptSteps], ['serving', running.gateway.model, 1, 3]);
    assert.ok(now.keptBytes > 0 && now.memoryLimitBytes > now.keptBytes && now.connections >= 1);
    assert.deepEqual([history.span, history.times.length], ['hour', 0]);
    const { tenants } = await get('use?part=ACM');
    assert.deepEqual(
      [tenants.length, tenants[0].name, tenants[0].today.forward, tenants[0].today.backward],
      [1, 'acme', 3 * STEP_ROWS, 3 * STEP_ROWS],
    );
    assert.ok(tenants[0].limits.find(({ name }: { name: string }) => name === 'residualBytes').used > 0);
    const model = await get('model');
    assert.deepEqual([model.backboneDigest, model.dims.hiddenSize], [running.gateway.backboneDigest, 8]);
    assert.equal(model.protection.standard.find(({ name }: { name: string }) => name === 'min-tokens').bound, 2);
    const federations = await get('federations');
    assert.deepEqual([federations.coordinator, federations.federations], [null, []]);
    const calls = await get('audit?kind=calls&limit=6');
    assert.deepEqual([calls.on, calls.entries.length, calls.entries[0].fields.tenant], [true, 6, 'acme']);
    const changes = await get('audit?kind=changes');
    assert.deepEqual(changes.entries[0].fields.action, 'sign-in');
    assert.ok(!('hash' in changes.entries[0].fields));
  });

  it('has the routes of its panels for programs too, with a token of the scope admin', async () => {
    const { paths } = (await ask('/v1/openapi.json')).body;
    // Of the server's routes the page has those of the administration, as programs have them.
    const ofPage: Readonly<Record<string, unknown>> = (await ask('/admin/v1/openapi.json')).body.paths;
    const administration = Object.keys(paths).filter((path) => path.startsWith('/v1/admin/'));
    assert.deepEqual(
      Object.keys(ofPage)
        .filter((path) => path.startsWith('/v1/admin/'))
        .sort(),
      administration.sort(),
    );
    for (const path of administration) assert.deepEqual(ofPage[path], paths[path], path);
    const token = { authorization: `Bearer ${await admin()}` };
    for (const name of Object.keys(schemas) as (keyof typeof schemas)[]) {
      assert.ok(paths[`/v1/admin/${name}`].get.operationId, name);
      const answer = await ask(`/v1/admin/${name}`, { headers: token });
      assert.equal(answer.status, 200, answer.text);
      schemas[name].parse(answer.body);
      assert.equal((await ask(`/v1/admin/${name}`)).status, 401);
      const less = { authorization: `Bearer ${await running.token({ scopes: ['train', 'model:read'] })}` };
      assert.equal((await ask(`/v1/admin/${name}`, { headers: less })).status, 403);
    }
  });

  it('ends a session whose tenant is suspended', async () => {
    const headers = await signedIn();
    await ask('/admin/v1/admin/tenants', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"name":"operator"}',
    });
    const { status } = await ask('/admin/v1/admin/tenants/operator/suspend', { method: 'POST', headers });
    assert.equal(status, 200);
    assert.equal((await ask('/admin/v1/admin/load', { headers })).status, 401);
    const { directory } = running.gateway.tenants;
    await directory.changed(await directory.store.resume('operator'));
  });

  it('takes no more attempts of an address after ten in a minute, right ones neither', async () => {
    let answer = await signIn('nonsense');
    for (let n = 0; n < ATTEMPTS.ofAddress && answer.status === 401; n++) answer = await signIn('nonsense');
    assert.deepEqual([answer.status, (await signIn(await admin())).status], [429, 429]);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  });
});

describe('charts of the page /admin', () => {
  const counts = { forward: 0, backward: 0, decoded: 0, answered: 0, refused: 0, bytesIn: 0, bytesOut: 0 };
  const amounts = { inFlight: 1, queued: 2, memoryBytes: 3, decodeSessions: 4 };

  it('have rates of what was counted since the point before, and amounts of the moment', () => {
    const history = new LoadHistory(0, counts);
    history.take(4999, { ...counts, forward: 1 }, amounts);
    history.take(5000, { ...counts, forward: 50, answered: 5 }, amounts);
    history.take(15_000, { ...counts, forward: 50, answered: 25 }, amounts);
    const { times, series } = history.after('hour', 0);
    assert.deepEqual(
      [times, series.forward, series.answered, series.queued],
      [
        [5000, 15_000],
        [10, 0],
        [1, 2],
        [2, 2],
      ],
    );
    assert.deepEqual(history.after('hour', 5000).times, [15_000]);
    assert.deepEqual([history.from('hour'), history.from('day')], [5000, null]);
  });

  it('are bounded: an hour and a day, whatever the gateway has run', () => {
    const history = new LoadHistory(0, counts);
    for (let at = 5000; at <= 3 * 86_400_000; at += 5000) history.take(at, counts, amounts);
    for (const [span, most] of [
      ['hour', 720],
      ['day', 288],
    ] as const) {
      assert.equal(history.after(span, 0).times.length, most);
      assert.equal(history.after(span, 0).times.at(-1), 3 * 86_400_000);
    }
  });

  it('go on after a clock was set back', () => {
    const history = new LoadHistory(100_000, counts);
    history.take(50_000, counts, amounts);
    history.take(55_000, { ...counts, forward: 5 }, amounts);
    assert.deepEqual(history.after('hour', 0).series.forward, [1]);
  });
});

describe('sessions of the page /admin', () => {
  let at = 1_000_000;
  let void_ = new Set<string>();
  let sessions: Sessions;
  const principal = (tokenId: string, more: Partial<Principal> = {}): Principal => ({
    ...{ tenant: 'operator', scopes: new Set(['admin'] as const), tokenId, expiresAt: at + 600_000, ...more },
  });
  beforeEach(() => {
    [at, void_] = [1_000_000, new Set()];
    const stands = ({ tokenId }: Principal) => !void_.has(tokenId);
    sessions = new Sessions({ now: () => at, stands, outlives: ({ clientId }) => clientId !== undefined });
  });
  afterEach(() => sessions.close());

  it('end with their token; one of a known client lasts an hour, and no session longer', () => {
    const { cookie } = sessions.begin(principal('a'), undefined);
    const client = sessions.begin(principal('b', { clientId: 'client_1' }), undefined);
    const long = sessions.begin(principal('c', { expiresAt: at + 2 * SESSION_MS }), undefined);
    at += 600_000;
    assert.equal(sessions.find(cookie, undefined), undefined);
    at += SESSION_MS - 600_000 - 1;
    for (const { cookie: one } of [client, long]) assert.notEqual(sessions.find(one, undefined), undefined);
    at += 1;
    for (const { cookie: one } of [client, long]) assert.equal(sessions.find(one, undefined), undefined);
    assert.equal(sessions.size, 0);
  });

  it('end for good when their token is revoked, also while nothing asks', () => {
    const { cookie } = sessions.begin(principal('a', { clientId: 'client_1' }), undefined);
    void_.add('a');
    sessions.look();
    // The list of revoked tokens forgets one that has ended.
    void_.clear();
    assert.equal(sessions.find(cookie, undefined), undefined);
  });

  it('are bound to the certificate of the connection that signed in', () => {
    const { cookie } = sessions.begin(principal('a'), 'thumbprint');
    assert.equal(sessions.find(cookie, undefined), undefined);
    assert.equal(sessions.find(cookie, 'another'), undefined);
    assert.notEqual(sessions.find(cookie, 'thumbprint'), undefined);
  });

  it('are bounded: the oldest gives way', () => {
    const cookies = Array.from({ length: MOST_SESSIONS + 1 }, (_, n) => sessions.begin(principal(`${n}`), undefined).cookie);
    assert.equal(sessions.size, MOST_SESSIONS);
    assert.equal(sessions.find(cookies[0]!, undefined), undefined);
    assert.notEqual(sessions.find(cookies[1]!, undefined), undefined);
  });
});

describe('attempts to sign in', () => {
  it('are limited for an address, and for all together', async () => {
    const take = signInLimit();
    for (let n = 0; n < ATTEMPTS.ofAddress; n++) await take('one');
    await assert.rejects(take('one'), hasCode('RATE_LIMITED'));
    for (let n = ATTEMPTS.ofAddress; n < ATTEMPTS.ofAll; n++) await take(`address ${n}`);
    await assert.rejects(take('another'), hasCode('RATE_LIMITED'));
  });
});
