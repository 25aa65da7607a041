import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditOrder } from '../../../src/commands/gateway/audit-order.js';
import { filesAt } from '../../../src/server/audit/audit-files.js';
import { verifyAudit } from '../../../src/server/audit/verify-audit.js';
import { KeyRing } from '../../../src/server/auth/key-ring.js';
import { cutlayerHere } from '../../support/command-here.js';

describe('orders of commands while no gateway runs', () => {
  let dir: string;
  const order = (...args: string[]) => cutlayerHere(['gateway', ...args, '--state-dir', dir]);
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-orders-'));
    await KeyRing.open(dir);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('have an entry each, in a chain that verifies, and reading has none', async () => {
    for (const words of [['create'], ['limits', '--sessions', '3'], ['suspend'], ['resume'], ['show']])
      assert.equal((await order('tenant', words[0]!, 'acme', ...words.slice(1))).code, 0);
    const [id] = (await order('client', 'add', 'acme', '--secret')).stdout.split(' ');
    await order('client', 'disable', id!);
    await order('client', 'list');
    await order('tenant', 'delete', 'acme');
    await order('keys', 'rotate');
    await order('keys', 'rotate', '--drop-old');
    const files = await filesAt(join(dir, 'audit'));
    const entries = (await readFile(files[0]!, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event !== 'checkpoint' && event !== 'chain')
      .map(({ event, action, tenant, client, by }) => [event, action, tenant ?? client, by].join());
    assert.deepEqual(entries, [
      ...['create', 'limits', 'suspend', 'resume'].map((action) => `admin,tenant ${action},acme,command`),
      'admin,client add,acme,command',
      `admin,client disable,${id},command`,
      'admin,tenant delete,acme,command',
      'keys,rotate,,command',
      'keys,drop all, and make one,,command',
    ]);
    assert.ok((await verifyAudit(join(dir, 'audit'))).checkpoints > 0);
  });

  it('take turns in the log when several are given at once', async () => {
    const place = { stateDir: dir };
    await Promise.all(Array.from({ length: 8 }, (_, order) => auditOrder(place, 'keys', { action: `order ${order}` })));
    const [file] = await filesAt(join(dir, 'audit'));
    const text = await readFile(file!, 'utf8');
    assert.deepEqual([...text.matchAll(/order \d/g)].map(String).sort(), [
      'order 0',
      'order 1',
      'order 2',
      'order 3',
      'order 4',
      'order 5',
      'order 6',
      'order 7',
    ]);
    await verifyAudit(join(dir, 'audit'));
  });

  it('change nothing when they cannot be audited, and are not audited with --audit none', async () => {
    const { kid } = await (await KeyRing.open(dir)).signingKey();
    const blocked = join(dir, 'no-directory');
    await writeFile(blocked, '');
    for (const words of [
      ['tenant', 'create', 'acme'],
      ['client', 'add', 'acme', '--secret'],
      ['keys', 'rotate'],
    ])
      assert.match((await order(...words, '--audit', blocked)).stderr, /error IO_ERROR: .*no-directory/);
    assert.equal((await order('tenant', 'list', '--format', 'json')).stdout, '');
    assert.equal((await order('client', 'list', '--format', 'json')).stdout.trim(), '{"clients":[]}');
    assert.equal((await (await KeyRing.open(dir)).signingKey()).kid, kid);
    assert.equal((await order('tenant', 'create', 'acme', '--audit', 'none')).code, 0);
    await assert.rejects(verifyAudit(join(dir, 'audit')), { code: 'NOT_FOUND' });
  });
});
