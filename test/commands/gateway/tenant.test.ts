import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cutlayerHere } from '../../support/command-here.js';
import { startTestGateway } from '../../support/test-gateway.js';

describe('cutlayer gateway tenant', () => {
  const json = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; status: string; limits: object });

  it('asks the gateway that runs, and opens the database where none does', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-tenant-command-'));
    const tenant = async (...words: string[]) => {
      const { code, stdout, stderr } = await cutlayerHere(['gateway', 'tenant', ...words, '--state-dir', stateDir]);
      return { code, stdout, stderr };
    };
    try {
      assert.match((await tenant('create', 'acme', '--tokens-per-day', '500')).stdout, /^acme: active, tokensPerDay 500\n$/);
      assert.match((await tenant('create', 'acme')).stderr, /ALREADY_EXISTS/);
      const running = await startTestGateway({ start: { stateDir, insecure: true } });
      try {
        assert.deepEqual(
          json((await tenant('list', '--format', 'json')).stdout).map(({ name }) => name),
          ['acme'],
        );
        await tenant('suspend', 'acme');
        assert.equal(running.gateway.tenants.directory.of('acme').tokensPerDay, 500);
        assert.throws(
          () =>
            running.gateway.tenants.directory.require({
              tenant: 'acme',
              scopes: new Set(),
              tokenId: '',
              issuedAt: Date.now(),
              expiresAt: 0,
            }),
          {
            code: 'TENANT_SUSPENDED',
          },
        );
        assert.match((await tenant('show', 'acme')).stdout, /^acme: suspended, tokensPerDay 500, 500 left of tokensPerDay\n$/);
        const [changed] = json(
          (await tenant('limits', 'acme', '--clear', 'tokensPerDay', '--in-flight-bytes', '1MiB', '--format', 'json')).stdout,
        );
        assert.deepEqual(changed!.limits, { inFlightBytes: 2 ** 20 });
        assert.match((await tenant('limits', 'acme')).stderr, /expected a limit to set/);
        await tenant('resume', 'acme');
        assert.match((await tenant('delete', 'acme')).stdout, /^acme: deleted\n$/);
        assert.equal((await tenant('list')).stdout, 'no tenant\n');
      } finally {
        await running.close();
      }
      assert.match((await tenant('list', '--deleted')).stdout, /^acme: deleted\n$/);
      assert.match((await tenant('resume', 'acme')).stderr, /NOT_FOUND/);
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  });
});
