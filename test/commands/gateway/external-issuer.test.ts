/** The operator's commands beside a gateway whose tokens an external issuer makes (`--jwks-url`). */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { cutlayerHere } from '../../support/command-here.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const identity = { issuer: 'https://id.example', audience: 'cutlayer' };

describe('commands beside a gateway with --jwks-url', function () {
  this.timeout(60_000);
  let dir: string;
  let issuer: Server;
  let gateway: TestGateway;
  let ring: KeyRing;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-external-'));
    ring = await KeyRing.open(join(dir, 'issuer'));
    issuer = createServer((_request, response) => response.end(JSON.stringify(ring.publicJwks())));
    await new Promise<void>((done) => issuer.listen(0, '127.0.0.1', done));
    const jwksUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks`;
    gateway = await startTestGateway({ start: { ...identity, jwksUrl } });
    await Promise.all([tokenIn('admin', ['admin']), tokenIn('train', ['train'])]);
  });
  after(async () => {
    await gateway.close();
    issuer.closeAllConnections();
    await new Promise((done) => issuer.close(done));
    await rm(dir, { recursive: true, force: true });
  });

  async function tokenIn(name: string, scopes: readonly ('admin' | 'train')[]): Promise<void> {
    const token = await issueToken(ring, identity, { tenant: 'operator', scopes, ttlSeconds: 600 }, Date.now());
    await writeFile(join(dir, name), `${token}\n`);
  }
  const cutlayer = (...args: string[]) => cutlayerHere(['gateway', ...args, '--state-dir', gateway.stateDir]);
  const as = (name: string): string[] => ['--token-file', join(dir, name)];

  it('work with a token of that issuer that the operator passes', async () => {
    const made = await cutlayer('tenant', 'create', 'acme', '--tokens-per-day', '50', ...as('admin'));
    assert.equal(made.code, 0, made.stderr);
    assert.match((await cutlayer('tenant', 'list', ...as('admin'))).stdout, /^acme: active, tokensPerDay 50/m);
    assert.equal((await cutlayer('tenant', 'suspend', 'acme', ...as('admin'))).code, 0);
    assert.equal((await cutlayer('usage', ...as('admin'))).code, 0);
    const listed = await cutlayer('client', 'list', '--format', 'json', ...as('admin'));
    assert.deepEqual([listed.code, JSON.parse(listed.stdout)], [0, { clients: [] }]);
    assert.match((await cutlayer('client', 'disable', 'client_none', ...as('admin'))).stderr, /error NOT_FOUND/);
  });

  it('say so when none is passed, or one that is not enough, and do not go to the database instead', async () => {
    for (const command of [['tenant', 'list'], ['tenant', 'delete', 'acme'], ['client', 'list'], ['usage'], ['client', 'disable', 'x']])
      assert.match((await cutlayer(...command)).stderr, /error TOKEN_MISSING: .*https:\/\/id\.example makes its tokens; pass --token-file/);
    assert.match((await cutlayer('tenant', 'list', ...as('train'))).stderr, /error SCOPE_MISSING: /);
    await writeFile(join(dir, 'forged'), 'a.b.c\n');
    assert.match((await cutlayer('tenant', 'list', ...as('forged'))).stderr, /error TOKEN_INVALID: /);
    assert.match((await cutlayer('tenant', 'list', ...as('none'))).stderr, /error NOT_FOUND: .*no token file/);
  });

  it('leave clients and keys to that issuer', async () => {
    const out = join(dir, 'acme.client');
    assert.match(
      (await cutlayer('client', 'add', 'acme', '--out', out, ...as('admin'))).stderr,
      /INVALID_OPTION: .*register the client there/,
    );
    const address = ['--address', gateway.gateway.listen, '--out', out];
    assert.match((await cutlayer('onboard', 'acme', ...address, ...as('admin'))).stderr, /INVALID_OPTION: .*register the client there/);
    assert.match((await cutlayer('keys', 'rotate')).stderr, /INVALID_OPTION: .*which rotates its own keys/);
  });
});
