/** A message assembled from fragments of any size, and the memory that it takes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { ByteBudget, HeldBytes } from '../../../src/server/rpc/byte-budget.js';
import { MessageBody } from '../../../src/server/rpc/message-body.js';
import { residentBytes } from '../../support/process-memory.js';
import { framed } from '../../support/raw-grpc.js';

const LIMIT = 1_000_000;

/** Bytes in one budget, which no other call gives room in. */
const heldIn = (total: ByteBudget): HeldBytes =>
  new HeldBytes({ account: undefined, total, giveWay: () => false, arrived: () => undefined }, []);

function bodyOf(budgetBytes = 10 * LIMIT) {
  const budget = new ByteBudget('a test', budgetBytes);
  const held = heldIn(budget);
  return { budget, held, body: new MessageBody(LIMIT, held) };
}

describe('a message that is being received', () => {
  it('is the same whatever its fragments are', () => {
    const cases = fc.record({
      bytes: fc.uint8Array({ maxLength: 3000 }),
      sizes: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      reserved: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ bytes, sizes, reserved }) => {
        const { body } = bodyOf();
        if (reserved) body.reserve();
        const wire = framed(Buffer.from(bytes));
        for (let at = 0, n = 0; at < wire.length; n++) {
          const end = at + sizes[n % sizes.length]!;
          body.push(wire.subarray(at, end));
          at = end;
        }
        assert.deepEqual(body.finish(), Buffer.from(bytes));
      }),
    );
  });

  it('takes memory for what has come, at most twice, until it reserves the whole', () => {
    const { body, budget, held } = bodyOf();
    body.push(framed(Buffer.alloc(LIMIT)).subarray(0, 5));
    assert.equal(budget.held, 0, 'a claimed length takes nothing');
    body.push(Buffer.alloc(100_000));
    assert.ok(budget.held >= 100_000 && budget.held <= 200_000, String(budget.held));
    body.reserve();
    assert.equal(budget.held, LIMIT);
    held.release();
    assert.equal(budget.held, 0);
  });

  it('is a copy of its frames, so that none of them is kept', () => {
    const { body } = bodyOf();
    const wire = framed(Buffer.alloc(1000, 7));
    for (let at = 0; at < wire.length; at += 200) {
      const chunk = Buffer.from(wire.subarray(at, at + 200));
      body.push(chunk);
      chunk.fill(9);
    }
    assert.deepEqual(body.finish(), Buffer.alloc(1000, 7));
  });

  it('touches no memory before bytes arrive, although the whole is reserved', function () {
    if (!existsSync('/proc/self/status')) this.skip();
    const claimed = 2 ** 28;
    const held = heldIn(new ByteBudget('a test', 2 * claimed));
    const body = new MessageBody(claimed, held);
    const before = residentBytes(process.pid);
    body.reserve();
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(claimed, 1);
    body.push(prefix);
    body.push(Buffer.alloc(1000));
    const grown = residentBytes(process.pid) - before;
    assert.ok(grown < claimed / 4, `${grown} bytes`);
    assert.throws(() => body.finish(), { code: 'INVALID_ARGUMENT' });
  });

  it('is refused when a budget has no room for it', () => {
    const { body } = bodyOf(500_000);
    body.reserve();
    assert.throws(() => body.push(framed(Buffer.alloc(LIMIT)).subarray(0, 5)), { code: 'QUEUE_FULL', message: /a test hold 0 of 500000/ });
  });

  it('is refused over the limit as soon as its length is known', () => {
    const { body, budget } = bodyOf();
    assert.throws(() => body.push(framed(Buffer.alloc(LIMIT + 1)).subarray(0, 5)), {
      code: 'MESSAGE_TOO_LARGE',
      message: 'request: expected at most 1000000 bytes, got 1000001',
    });
    assert.equal(budget.held, 0);
  });

  it('is refused when it is compressed, when a second one follows, and when it ends early', () => {
    assert.throws(() => bodyOf().body.push(framed(Buffer.alloc(10), 1)), { code: 'UNIMPLEMENTED', message: /uncompressed/ });
    const two = Buffer.concat([framed(Buffer.alloc(10)), framed(Buffer.alloc(0))]);
    assert.throws(() => bodyOf().body.push(two), { code: 'UNIMPLEMENTED', message: /expected one message, got a second one/ });
    assert.throws(() => bodyOf().body.finish(), { code: 'UNIMPLEMENTED', message: /expected one message, got none/ });
    for (const cut of [3, 5, 12]) {
      const { body } = bodyOf();
      body.push(framed(Buffer.alloc(10)).subarray(0, cut));
      assert.throws(() => body.finish(), { code: 'INVALID_ARGUMENT', message: /ends early/ });
    }
  });

  it('is refused when its frames are tiny and many, and taken when only some are', () => {
    const { body } = bodyOf();
    body.push(framed(Buffer.alloc(LIMIT)).subarray(0, 5));
    for (let n = 0; n < 1000; n++) body.push(Buffer.of(0));
    assert.throws(
      () => {
        for (let n = 0; n < 1000; n++) body.push(Buffer.of(0));
      },
      { code: 'INVALID_ARGUMENT', message: /at least 128 bytes on average/ },
    );
    const usual = bodyOf().body;
    usual.push(framed(Buffer.alloc(LIMIT)).subarray(0, 5));
    for (let n = 0; n < LIMIT / 200; n++) usual.push(Buffer.alloc(200));
    assert.equal(usual.finish().length, LIMIT);
  });
});
