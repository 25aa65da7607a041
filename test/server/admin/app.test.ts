import assert from 'node:assert/strict';
import { request } from 'node:http';
import { CutlayerError } from '../../../src/errors.js';
import { createAdminApp } from '../../../src/server/admin/app.js';
import { type AdminServer, listenAdmin } from '../../../src/server/admin/listen.js';
import { createLogger, type Logger } from '../../../src/server/observability/log.js';
import { createCallMetrics } from '../../../src/server/observability/metrics.js';

describe('admin port', () => {
  let admin: AdminServer;
  let draining = false;
  const keys = [{ kty: 'OKP', crv: 'Ed25519', x: 'abc', kid: 'k' }];
  const options = {
    jwks: () => ({ keys }),
    metrics: createCallMetrics({ process: false }),
    draining: () => draining,
    log: createLogger({ level: 'silent' }),
    hosts: ['gateway'],
  };
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${admin.port}${path}`, init);

  before(async () => {
    admin = await listenAdmin(createAdminApp(options), '127.0.0.1', 0, options.log);
  });
  after(() => admin.close());

  it('serves the public keys, which verifiers may keep for a while', async () => {
    const response = await get('/.well-known/jwks.json');
    assert.deepEqual(await response.json(), { keys });
    assert.match(response.headers.get('cache-control') ?? '', /public, max-age=\d+/);
  });

  it('serves no keys when the issuer is another', async () => {
    const other = await listenAdmin(createAdminApp({ ...options, jwks: undefined }), '127.0.0.1', 0, options.log);
    assert.equal((await fetch(`http://127.0.0.1:${other.port}/.well-known/jwks.json`)).status, 404);
    await other.close();
  });

  it('says that it serves, and 503 when it drains', async () => {
    assert.equal((await get('/healthz')).status, 200);
    draining = true;
    assert.equal((await get('/healthz')).status, 503);
    draining = false;
  });

  it("serves the metrics in Prometheus's format", async () => {
    options.metrics.observeCall({ method: 'Forward', tenant: 'acme', code: 'OK', seconds: 0.2, bytesIn: 10, bytesOut: 20, rows: 3 });
    const response = await get('/metrics');
    assert.match(response.headers.get('content-type') ?? '', /text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /cutlayer_calls_total\{method="Forward",tenant="acme",code="OK"\} 1/);
  });

  const refused: readonly [string, string, RequestInit | undefined, number][] = [
    ['an unknown path', '/nobody', undefined, 404],
    ['a path that leaves its directory', '/../../etc/passwd', undefined, 404],
    ['a path that does not decode', '/%E0%A4%A', undefined, 404],
    ['another method', '/metrics', { method: 'POST', body: '{}' }, 404],
  ];
  for (const [what, path, init, code] of refused) {
    it(`answers ${what} with a typed error and without a stack`, async () => {
      const response = await get(path, init);
      assert.equal(response.status, code);
      const text = await response.text();
      assert.match(text, /"code":"(NOT_FOUND|INVALID_ARGUMENT)"/);
      assert.doesNotMatch(text, /node_modules|at .*\.js/);
    });
  }

  /** The status for a request that names a host; undefined for none. */
  const asked = (host: string | undefined) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = host === undefined ? {} : { host };
      request({ port: admin.port, host: '127.0.0.1', path: '/healthz', headers, setHost: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  for (const host of ['127.0.0.1', '127.0.0.1:8080', 'localhost:8080', '[::1]:8080', '10.0.0.7:8080', 'gateway:8080', 'GATEWAY']) {
    it(`answers a request for ${host}`, async () => assert.equal(await asked(host), 200));
  }

  for (const host of [
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    'gateway.evil.example',
    '127.0.0.1.evil.example',
    '',
  ]) {
    it(`refuses a request for "${host}", a name that a web page may have pointed here`, async () => assert.equal(await asked(host), 403));
  }

  it('warns when other machines can reach it, and not on loopback', async () => {
    const warned: string[] = [];
    const log = { warn: (_fields: unknown, text: string) => void warned.push(text) } as unknown as Logger;
    for (const host of ['127.0.0.1', 'localhost']) await (await listenAdmin(createAdminApp(options), host, 0, log)).close();
    assert.deepEqual(warned, []);
    await (await listenAdmin(createAdminApp(options), '0.0.0.0', 0, log)).close();
    assert.match(warned[0] ?? '', /^THE ADMIN PORT IS OPEN TO OTHER MACHINES/);
  });

  it('tells in a typed error that its port is taken', async () => {
    await assert.rejects(listenAdmin(createAdminApp(options), '127.0.0.1', admin.port, options.log), (error: unknown) => {
      assert.ok(error instanceof CutlayerError);
      assert.equal(error.code, 'IO_ERROR');
      return true;
    });
  });
});
