import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenSource } from '../../../clients/typescript/connection/token-source.js';
import { openAdminConnection } from '../../../src/commands/gateway/admin-connection.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { cutlayerHere } from '../../support/command-here.js';
import { type IdentityRig, newTestKey, startIdentityRig } from '../../support/identity-rig.js';

describe('cutlayer gateway client', function () {
  this.timeout(60_000);
  const cutlayer = (...args: string[]) => cutlayerHere(args);

  it('works in the database where no gateway runs', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cutlayer-clients-'));
    const state = ['--state-dir', dir];
    await KeyRing.open(dir);
    assert.equal(await openAdminConnection({ stateDir: dir }), undefined);
    const key = join(dir, 'own.jwk');
    await writeFile(key, JSON.stringify((await newTestKey()).publicJwk));
    const added = await cutlayer('gateway', 'client', 'add', 'acme', '--public-key', key, ...state);
    assert.equal(added.code, 0, added.stderr);
    const id = added.stdout.trim();
    assert.equal((await cutlayer('gateway', 'client', 'disable', id, ...state)).code, 0);
    const { stdout } = await cutlayer('gateway', 'client', 'list', '--format', 'json', ...state);
    const [client, ...others] = JSON.parse(stdout).clients;
    assert.deepEqual([client.id, client.tenant, client.kind, others], [id, 'acme', 'key', []]);
    assert.ok(client.disabledAt !== null);
    assert.match((await cutlayer('gateway', 'client', 'add', 'acme', ...state)).stderr, /INVALID_OPTION: .*one of --out/);
    assert.match(
      (await cutlayer('gateway', 'client', 'add', 'acme', '--out', join(dir, 'x'), ...state)).stderr,
      /INVALID_OPTION: --token-url/,
    );
    const before = (await KeyRing.open(dir)).publicJwks().keys.length;
    assert.match((await cutlayer('gateway', 'keys', 'rotate', ...state)).stdout, /signs from now on; earlier keys verify/);
    assert.equal((await KeyRing.open(dir)).publicJwks().keys.length, before + 1);
    assert.match((await cutlayer('gateway', 'keys', 'rotate', '--drop-old', ...state)).stdout, /every earlier token is void/);
    assert.equal((await KeyRing.open(dir)).publicJwks().keys.length, 1);
    await rm(dir, { recursive: true, force: true });
  });

  it('asks the running gateway, and writes a file with which a client gets its tokens', async () => {
    const rig: IdentityRig = await startIdentityRig();
    try {
      const server = { admin: rig.url.replace('http://', ''), certFile: null, pid: process.pid };
      await writeFile(join(rig.dir, 'local-server.json'), JSON.stringify(server));
      const out = join(rig.dir, 'acme.client');
      const state = ['--state-dir', rig.dir];
      const added = await cutlayer('gateway', 'client', 'add', 'acme', '--out', out, '--scope', 'infer', ...state);
      assert.equal(added.code, 0, added.stderr);
      assert.equal((await stat(out)).mode & 0o077, 0);
      const { tenant, clientId } = await rig.verify(await tokenSource({ tokenFile: out })(false));
      assert.deepEqual([tenant, clientId], ['acme', JSON.parse(await readFile(out, 'utf8')).clientId]);
      assert.match(
        (await cutlayer('gateway', 'client', 'list', '--tenant', 'acme', ...state)).stdout,
        /^client_\w+ {2}acme {2}key {2}infer /,
      );
      assert.equal((await cutlayer('gateway', 'client', 'disable', clientId!, ...state)).code, 0);
      await assert.rejects(tokenSource({ tokenFile: out })(false), { code: 'TOKEN_INVALID' });
      assert.match((await cutlayer('gateway', 'client', 'disable', 'client_none', ...state)).stderr, /error NOT_FOUND/);
      assert.deepEqual(rig.audited, [
        { event: 'admin', action: 'client add', tenant: 'acme', by: 'operator' },
        { event: 'admin', action: 'client disable', client: clientId, by: 'operator' },
        { event: 'admin', action: 'client disable', client: 'client_none', by: 'operator' },
      ]);
    } finally {
      await rig.close();
    }
  });
});
