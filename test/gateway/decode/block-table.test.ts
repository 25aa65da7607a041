import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockTable, type TableBlock } from '../../../src/gateway/decode/block-table.js';

describe('the table of kept blocks', () => {
  let time = 0;
  const start = (): BlockTable<TableBlock> => {
    time = 0;
    return new BlockTable(60_000, () => time);
  };
  const block = (tenant: string, digest: string, bytes = 10): TableBlock => ({ tenant, digest, bytes, usedAt: 0 });
  const names = (blocks: readonly TableBlock[] | undefined) => blocks?.map(({ tenant, digest }) => `${tenant}/${digest}`);
  const room = (total: number, own = total) => ({ total, own });
  const add = (table: BlockTable<TableBlock>, tenant: string, digest: string, limit = 1000, spared: readonly string[] = []) =>
    names(table.add(block(tenant, digest), room(limit), new Set(spared)));

  it('finds a block by its tenant and its digest alone', () => {
    const table = start();
    add(table, 'a', 'x');
    assert.equal(table.find('a', 'x')?.bytes, 10);
    assert.equal(table.find('b', 'x'), undefined);
    assert.equal(table.find('a', 'y'), undefined);
  });

  it('takes the block that was least recently used of the tenant with most, and of a chain its last', () => {
    const table = start();
    for (const digest of ['1', '2', '3']) add(table, 'a', digest);
    add(table, 'b', '1');
    table.touch('a', ['1', '2']);
    assert.deepEqual(add(table, 'b', '2', 40), ['a/3']);
    assert.deepEqual(add(table, 'b', '3', 30), ['a/2', 'b/1'], 'both have as much then');
    assert.deepEqual(names(table.giveWay('b', room(1000, 10))), ['b/2'], "a tenant's own, beyond its part");
    assert.equal(table.bytes, 20);
  });

  it('does without a block where only those before it could give way, and changes nothing', () => {
    const table = start();
    add(table, 'a', '1');
    add(table, 'a', '2');
    assert.equal(add(table, 'a', '3', 20, ['1', '2', '3']), undefined);
    assert.equal(add(table, 'a', '3', 9), undefined, 'larger than its room');
    assert.equal(table.bytes, 20);
    assert.deepEqual(add(table, 'a', '3', 20, ['1']), ['a/2']);
  });

  it('ends blocks that nothing uses', () => {
    const table = start();
    add(table, 'a', 'old');
    add(table, 'a', 'used');
    time = 30_000;
    table.touch('a', ['used', 'unknown']);
    time = 60_000;
    assert.deepEqual(names(table.expire()), ['a/old']);
    assert.deepEqual(names(table.clear()), ['a/used']);
    assert.equal(table.bytes, 0);
  });

  it('never has more than its room, whatever comes', () => {
    const action = fc.record({
      tenant: fc.constantFrom('a', 'b', 'c'),
      digest: fc.constantFrom('1', '2', '3', '4', '5'),
      bytes: fc.integer({ min: 1, max: 50 }),
      total: fc.integer({ min: -5, max: 120 }),
      own: fc.integer({ min: -5, max: 80 }),
      does: fc.constantFrom('add', 'add', 'give', 'touch'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const table = start();
        for (const { tenant, digest, bytes, total, own, does } of actions) {
          time++;
          const ownBytes = (): number => ['1', '2', '3', '4', '5'].reduce((sum, name) => sum + (table.find(tenant, name)?.bytes ?? 0), 0);
          const before = table.bytes;
          if (does === 'touch') table.touch(tenant, [digest]);
          else if (does === 'give') table.giveWay(tenant, { total, own });
          else if (table.find(tenant, digest) === undefined) {
            if (table.add(block(tenant, digest, bytes), { total, own }, new Set()) === undefined) assert.equal(table.bytes, before);
            else assert.ok(table.bytes <= total && ownBytes() <= own);
          }
          if (does === 'give') assert.ok(table.bytes <= Math.max(0, total) && ownBytes() <= Math.max(0, own));
        }
        table.clear();
        assert.equal(table.bytes, 0);
      }),
      { seed: 12, numRuns: 200 },
    );
  });
});
