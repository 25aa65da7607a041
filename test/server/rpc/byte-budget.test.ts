/** Budgets of bytes: of the process, of tenants, of connections, and of calls that are not verified yet. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import type { MessageAccount } from '../../../src/server/rpc/byte-budget.js';
import { MessageMemory } from '../../../src/server/rpc/message-memory.js';

const mustStay = (reason: CutlayerError): void => assert.fail(reason.message);

describe('memory of messages', () => {
  const memory = () => new MessageMemory('gateway', 8000);

  it('lets callers that are not verified hold an eighth, whatever their number', () => {
    const all = memory();
    const calls = Array.from({ length: 10 }, () => all.newCall(all.connection()));
    for (const call of calls) call.growTo(100);
    assert.equal(all.heldBytes, 1000);
    assert.throws(() => all.newCall(all.connection()).growTo(1), { code: 'QUEUE_FULL', message: /not verified yet hold 1000 of 1000/ });
    calls[0]!.release();
    all.newCall(all.connection()).growTo(100);
  });

  it('lets one tenant hold half, over all its connections, and leaves the rest to others', () => {
    const all = memory();
    const open = (tenant: string) => {
      const connection = all.connection();
      const call = all.newCall(connection);
      all.verified(call, connection, tenant, mustStay);
      return call;
    };
    const [first, second] = [open('acme'), open('acme')];
    first.growTo(3000);
    assert.throws(() => second.growTo(1001), { code: 'QUEUE_FULL', message: /acme at the gateway hold 3000 of 4000 bytes, 1001 more/ });
    second.growTo(1000);
    const other = open('other');
    other.growTo(4000);
    for (const call of [first, second, other]) call.arrived();
    assert.throws(() => open('third').growTo(1), { code: 'QUEUE_FULL', message: /the gateway hold 8000 of 8000/ });
    first.release();
    open('third').growTo(3000);
  });

  it('lets one connection hold half, whatever its tenants', () => {
    const all = memory();
    const connection = all.connection();
    const calls = ['a', 'b', 'c'].map((tenant) => {
      const call = all.newCall(connection);
      all.verified(call, connection, tenant, mustStay);
      return call;
    });
    calls[0]!.growTo(2000);
    calls[1]!.growTo(2000);
    assert.throws(() => calls[2]!.growTo(1), { code: 'QUEUE_FULL', message: /one connection hold 4000 of 4000/ });
  });

  it('counts each byte once in a wider account too, until a handler takes it over there', () => {
    const counted = new Map<string, number>();
    const add = (tenant: string | undefined, bytes: number): void => {
      counted.set(tenant ?? '?', (counted.get(tenant ?? '?') ?? 0) + bytes);
    };
    const account: MessageAccount = {
      ...{ limitBytes: 5000, unverifiedLimitBytes: 300, add },
      take: (tenant, bytes) => {
        if ((counted.get(tenant) ?? 0) + bytes > 5000) throw new CutlayerError('QUEUE_FULL', 'account: full');
        add(tenant, bytes);
      },
    };
    const all = new MessageMemory('gateway', 80_000, account);
    const connection = all.connection();
    const call = all.newCall(connection);
    assert.throws(() => call.growTo(301), { code: 'QUEUE_FULL', message: /not verified yet hold 0 of 300/ });
    call.growTo(200);
    assert.deepEqual([...counted], [['?', 200]]);
    all.verified(call, connection, 'acme', mustStay);
    call.growTo(4000);
    assert.throws(() => call.growTo(5001), { code: 'QUEUE_FULL', message: /account: full/ });
    const counts = () => [counted.get('?'), counted.get('acme'), all.heldBytes];
    assert.deepEqual(counts(), [0, 4000, 4000]);
    assert.equal(call.handOver(), 4000);
    assert.deepEqual(counts(), [0, 0, 4000]);
    call.add(50);
    assert.deepEqual(counts(), [0, 50, 4050]);
    call.release();
    call.release();
    assert.deepEqual(counts(), [0, 0, 0]);
  });

  it('ends the newest message on its way of the tenant with most, for one that has less', () => {
    const all = memory();
    const ended: string[] = [];
    const open = (tenant: string, name: string) => {
      const connection = all.connection();
      const call = all.newCall(connection);
      all.verified(call, connection, tenant, ({ code, message }) => void ended.push(`${name} ${code} ${message.split(',')[0]}`));
      return call;
    };
    const arrived = open('acme', 'first');
    arrived.growTo(1500);
    arrived.arrived();
    for (const name of ['second', 'third']) open('acme', name).growTo(1000);
    open('birch', 'other').growTo(3000);
    open('cedar', 'small').growTo(2200);
    assert.deepEqual(ended, ['third QUEUE_FULL messages of acme at the gateway are the most of all tenants']);
    assert.equal(all.heldBytes, 7700);
    assert.throws(() => open('dogwood', 'large').growTo(3500), { code: 'QUEUE_FULL', message: /the gateway hold 7700 of 8000/ });
    assert.equal(ended.length, 1, 'a message of as many bytes as the others have takes none of theirs');
  });

  it('counts answers that are there already, over the limit too, and gives everything back once', () => {
    const all = memory();
    const call = all.newCall(all.connection());
    call.add(9000);
    assert.equal(all.heldBytes, 9000);
    call.release();
    call.release();
    assert.equal(all.heldBytes, 0);
  });
});
