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
      assert.equal(
        (await tenant('protection', 'acme', '--rows-per-day', '700', '--near-inputs', 'off')).stdout,
        'acme: active, tokensPerDay 500\n  near-inputs off (of acme itself)\n  rows-per-day 700 (of acme itself)\n',
      );
      assert.match((await tenant('protection', 'acme', '--rows-per-day', '0')).stderr, /--rows-per-day.*expected a whole number from 1/);
      assert.match(
        (await tenant('protection', 'acme', '--min-row-norm', '3', '--max-row-norm', '1')).stderr,
        /up to max-row-norm 1, got 3/,
      );
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
        const shown = (await tenant('show', 'acme')).stdout;
        assert.match(
          shown,
          /^acme: suspended, tokensPerDay 500, 500 left of tokensPerDay\n {2}backwards-per-forward 2 \(no place names it\)\n/,
        );
        assert.match(shown, /\n {2}near-inputs off \(of acme itself\)\n.*\n {2}rows-per-day 700 \(of acme itself\)\n {2}alarm-at 0.8 /s);
        assert.equal((await tenant('protection', 'acme')).stdout, shown);
        assert.match((await tenant('protection', 'acme', '--clear', 'rows-per-day')).stdout, /rows-per-day off \(no place names it\)/);
        assert.equal(running.gateway.protection.policyOf('acme').rowsPerDay, undefined);
        assert.match((await tenant('protection', 'acme', '--clear', 'all,rows-per-day')).stderr, /INVALID_OPTION/);
        assert.match((await tenant('protection', 'acme', '--clear', 'all')).stdout, /near-inputs 16 \(no place names it\)/);
        const [changed] = json(
          (await tenant('limits', 'acme', '--clear', 'tokensPerDay', '--in-flight-bytes', '1MiB', '--format', 'json')).stdout,
        );
        assert.deepEqual(changed!.limits, { inFlightBytes: 2 ** 20 });
        assert.match((await tenant('limits', 'acme')).stderr, /expected a limit to set/);
        await tenant('resume', 'acme');
        assert.match((await tenant('delete', 'acme')).stdout, /^acme: deleted\n$/);
        assert.equal((await tenant('list')).stdout, 'no tenant\n');
        await tenant('create', 'kept');
        await tenant('protection', 'kept', '--min-row-norm', '0.5');
      } finally {
        await running.close();
      }
      const [backup, elsewhere] = [join(stateDir, 'backup'), ['--state-dir', join(stateDir, 'restored')]];
      for (const words of [
        ['backup', backup, '--state-dir', stateDir],
        ['restore', backup, ...elsewhere],
      ])
        assert.equal((await cutlayerHere(['gateway', ...words])).code, 0);
      const restored = await cutlayerHere(['gateway', 'tenant', 'show', 'kept', ...elsewhere]);
      assert.equal(restored.stdout, 'kept: active\n  min-row-norm 0.5 (of kept itself)\n', 'a backup has the bounds');
      assert.match((await tenant('list', '--deleted')).stdout, /^acme: deleted\n$/);
      assert.match((await tenant('resume', 'acme')).stderr, /NOT_FOUND/);
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  });
});
