import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type SessionBounds, SessionTable, type TableEntry } from '../../../src/gateway/decode/session-table.js';

const bounds: SessionBounds = { limitBytes: 1000, tenantBytes: 600, maxPerTenant: 4, idleMs: 60_000, restMs: 1000 };

describe('the table of decode sessions', () => {
  let time = 0;
  const start = (changes: Partial<SessionBounds> = {}): SessionTable<TableEntry> => {
    time = 0;
    return new SessionTable({ ...bounds, ...changes }, () => time);
  };
  const entry = (tenant: string, id: string, bytes: number, busy = 0): TableEntry => ({ tenant, id, bytes, usedAt: 0, busy });
  const names = (entries: readonly TableEntry[]): string[] => entries.map(({ tenant, id }) => `${tenant}/${id}`);

  it('finds a session by its tenant and id alone', () => {
    const table = start();
    const one = entry('a', 'x', 100);
    table.add(one);
    assert.equal(table.find('a', 'x'), one);
    assert.equal(table.find('b', 'x'), undefined);
    assert.ok(table.remove(one));
    assert.equal(table.remove(one), false);
    assert.equal(table.find('a', 'x'), undefined);
    assert.equal(table.stats().decodeBytes, 0);
  });

  it('refuses a session that never fits, and says the bytes', () => {
    assert.throws(() => start().add(entry('a', 'x', 601)), {
      code: 'LIMIT_EXCEEDED',
      message: 'session: its keys and values would take 601 bytes, a tenant may have 600; ask for fewer rows',
    });
  });

  it("gives a tenant's own resting sessions for its new one, least recently used first, and refuses before they rest", () => {
    const table = start();
    const [x, y] = [entry('a', 'x', 300), entry('a', 'y', 300)];
    table.add(x);
    table.add(y);
    time = 500;
    assert.throws(() => table.add(entry('a', 'z', 100)), { code: 'QUEUE_FULL', message: /those of a hold 600 bytes, 100 more do not fit/ });
    table.touch(x);
    time = 2000;
    assert.deepEqual(names(table.add(entry('a', 'z', 100))), ['a/y']);
    assert.equal(table.stats().evictedSessions, 1);
  });

  it('bounds the sessions of a tenant', () => {
    const table = start();
    for (const id of ['1', '2', '3', '4']) table.add(entry('a', id, 1));
    assert.throws(() => table.add(entry('a', '5', 1)), { code: 'QUEUE_FULL', message: /4 of a are open/ });
    table.add(entry('b', '5', 1));
    time = 1000;
    assert.deepEqual(names(table.add(entry('a', '5', 1))), ['a/1']);
  });

  it('evicts the resting session of the tenant with most bytes, and no session that is busy', () => {
    const table = start();
    const busy = entry('a', 'busy', 500, 1);
    table.add(busy);
    table.add(entry('b', 'x', 300));
    table.add(entry('c', 'x', 200));
    time = 5000;
    assert.deepEqual(names(table.add(entry('d', 'x', 100))), ['b/x']);
    assert.equal(table.find('a', 'busy'), busy);
  });

  it('takes one that does not rest for a tenant that will have fewer bytes, and for no other', () => {
    const table = start({ tenantBytes: 1000 });
    table.add(entry('a', 'x', 400));
    table.add(entry('a', 'y', 400));
    table.add(entry('b', 'x', 200));
    assert.throws(() => table.add(entry('c', 'x', 800)), { code: 'QUEUE_FULL', message: /hold 1000 bytes, 800 more do not fit/ });
    assert.deepEqual(names(table.add(entry('c', 'x', 200))), ['a/x']);
    // a has 400 now; b would have more.
    assert.throws(() => table.add(entry('b', 'y', 300)), { code: 'QUEUE_FULL' });
    assert.equal(table.stats().decodeSessions, 3);
  });

  it('changes nothing when it refuses', () => {
    const table = start({ tenantBytes: 1000 });
    table.add(entry('a', 'x', 500));
    table.add(entry('b', 'x', 500, 1));
    time = 5000;
    assert.throws(() => table.add(entry('c', 'x', 900)), { code: 'QUEUE_FULL' });
    assert.deepEqual([table.stats().decodeSessions, table.stats().decodeBytes, table.stats().evictedSessions], [2, 1000, 0]);
  });

  it('ends sessions that nothing uses, not those that are busy or were used', () => {
    const table = start();
    const [idle, used, busy] = [entry('a', 'idle', 1), entry('a', 'used', 1), entry('a', 'busy', 1, 1)];
    for (const one of [idle, used, busy]) table.add(one);
    time = 30_000;
    table.touch(used);
    time = 60_000;
    assert.deepEqual(table.expire(), [idle]);
    assert.equal(table.stats().expiredSessions, 1);
    assert.deepEqual(names(table.clear()).sort(), ['a/busy', 'a/used']);
  });

  it('never holds more than its bounds, whatever comes', () => {
    const action = fc.record({
      tenant: fc.constantFrom('a', 'b', 'c'),
      id: fc.integer({ min: 0, max: 9 }),
      bytes: fc.integer({ min: 1, max: 700 }),
      passes: fc.integer({ min: 0, max: 2000 }),
      does: fc.constantFrom('add', 'remove', 'touch', 'work', 'rest'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const table = start();
        const held = new Map<string, TableEntry>();
        for (const { tenant, id, bytes, passes, does } of actions) {
          time += passes;
          const key = `${tenant}/${id}`;
          const found = held.get(key);
          if (does === 'add' && found === undefined) {
            const one = entry(tenant, String(id), bytes);
            try {
              for (const victim of table.add(one)) {
                assert.equal(victim.busy, 0);
                held.delete(`${victim.tenant}/${victim.id}`);
              }
              held.set(key, one);
            } catch {}
          } else if (found !== undefined) {
            if (does === 'remove' && table.remove(found)) held.delete(key);
            if (does === 'touch') table.touch(found);
            if (does === 'work' || does === 'rest') found.busy = does === 'work' ? 1 : 0;
          }
          const all = [...held.values()];
          const sum = (of: readonly TableEntry[]): number => of.reduce((total, one) => total + one.bytes, 0);
          assert.equal(table.stats().decodeBytes, sum(all));
          assert.ok(sum(all) <= bounds.limitBytes);
          for (const name of ['a', 'b', 'c']) {
            const own = all.filter((one) => one.tenant === name);
            assert.ok(sum(own) <= bounds.tenantBytes && own.length <= bounds.maxPerTenant);
          }
        }
      }),
      { seed: 12, numRuns: 300 },
    );
  });
});
