import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Charge } from '../../../src/gateway/ledger/charge.js';
import { openGatewayDatabase } from '../../../src/gateway/tables/database.js';
import { cutlayerHere } from '../../support/command-here.js';
import { startTestGateway } from '../../support/test-gateway.js';

describe('cutlayer gateway usage', () => {
  let stateDir: string;
  const usage = (...words: string[]) => cutlayerHere(['gateway', 'usage', ...words, '--state-dir', stateDir]);
  const prices = () => ['--prices', join(stateDir, 'prices.yaml')];
  const charge = (tenant: string, id: string, at: string, amounts: Charge['amounts']): Charge => ({
    ...{ tenant, kind: 'forward', id, part: 'p', model: 'abc', modelName: 'tiny', adapter: 'none', amounts, at: Date.parse(at) },
  });
  const time = ['--from', '2026-03-01', '--to', '2026-03-03'];

  before(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-usage-'));
    await writeFile(join(stateDir, 'prices.yaml'), 'currency: EUR\nmodels:\n  "*": { forward: 1000 }\n');
    const database = await openGatewayDatabase(join(stateDir, 'gateway.db'));
    await database.transaction((tx) =>
      tx.usage.write([
        charge('acme', 'a', '2026-03-01T10:20Z', { forward: 5, bytesIn: 100, calls: 1 }),
        charge('acme', 'b', '2026-03-01T11:20Z', { forward: 7, bytesIn: 20, calls: 1 }),
        charge('bolt', 'a', '2026-03-02T11:20Z', { forward: 1, bytesIn: 3, calls: 1 }),
      ]),
    );
    await database.close();
  });
  after(() => rm(stateDir, { recursive: true, force: true }));

  const table = [
    'from        tenant  model  adapter  forward  backward  decoded  cached  bytesIn  bytesOut  calls  cost EUR',
    '2026-03-01  acme    tiny   none          12         0        0       0      120         0      2  0.012000',
    '2026-03-02  bolt    tiny   none           1         0        0       0        3         0      1  0.001000\n',
  ].join('\n');

  it('reads the database where no gateway runs', async () => {
    assert.equal((await usage(...time, ...prices())).stdout, table);
    const hours = await usage(...time, '--by', 'hour', '--tenant', 'acme', '--format', 'csv');
    const [names, ...rows] = hours.stdout.trimEnd().split('\n');
    assert.match(names!, /^tenant,from,model,modelName,adapter,forward,/);
    assert.deepEqual(
      rows.map((row) => row.split(',').slice(0, 6).join()),
      ['acme,2026-03-01T10:00:00.000Z,abc,tiny,none,5', 'acme,2026-03-01T11:00:00.000Z,abc,tiny,none,7'],
    );
    assert.equal((await usage('--from', '2020-01-01', '--to', '2020-01-02')).stdout, 'no use in this time\n');
  });

  it('asks the gateway that runs, with its prices', async () => {
    const running = await startTestGateway({ start: { stateDir, insecure: true, prices: join(stateDir, 'prices.yaml') } });
    try {
      assert.equal((await usage(...time)).stdout, table);
      const { currency, rows } = JSON.parse((await usage(...time, '--format', 'json')).stdout);
      assert.deepEqual(
        [currency, ...rows.map(({ tenant, forward, cost }: Record<string, unknown>) => [tenant, forward, cost])],
        ['EUR', ['acme', 12, '0.012000'], ['bolt', 1, '0.001000']],
      );
      assert.match((await usage('--from', 'yesterday')).stderr, /INVALID_ARGUMENT: from: expected a time/);
    } finally {
      await running.close();
    }
  });
});
