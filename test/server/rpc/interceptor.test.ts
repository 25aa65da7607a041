/** The list that every admitted call goes through: order, refusals, and what each of the server's own entries does. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import type { Logger } from '../../../src/server/observability/log.js';
import type { Call } from '../../../src/server/rpc/calls.js';
import { explainFailures, type Interceptor, intercepted, noteOutcome, stopWhenAborted } from '../../../src/server/rpc/interceptor.js';

const answer = Buffer.from('answer');

function callOf(signal = new AbortController().signal): Call {
  return {
    method: 'Forward',
    principal: { tenant: 'acme', scopes: new Set(), tokenId: 'id', expiresAt: 0 },
    request: 'r-1',
    address: '127.0.0.1',
    proof: undefined,
    deadline: 0,
    signal,
    draining: signal,
    outcome: { code: undefined, bytesIn: 0, bytesOut: 0, rows: 0 },
    handOver: () => 0,
  };
}

describe('interceptors', () => {
  it('run around the work, the first outermost', async () => {
    const seen: string[] = [];
    const named = (name: string): Interceptor => {
      return async (_call, next) => {
        seen.push(`${name} before`);
        const bytes = await next();
        seen.push(`${name} after`);
        return bytes;
      };
    };
    const bytes = await intercepted([named('outer'), named('inner')], callOf(), async () => {
      seen.push('work');
      return answer;
    });
    assert.equal(bytes, answer);
    assert.deepEqual(seen, ['outer before', 'inner before', 'work', 'inner after', 'outer after']);
  });

  it('may refuse a call, whose work then never runs, and whose outcome is the refusal', async () => {
    const call = callOf();
    const quota: Interceptor = async ({ principal }) => {
      throw new CutlayerError('QUEUE_FULL', `${principal.tenant}: has used what it may`);
    };
    const work = () => assert.fail('the work has run');
    await assert.rejects(intercepted([noteOutcome, quota], call, work), { code: 'QUEUE_FULL' });
    assert.equal(call.outcome.code, 'QUEUE_FULL');
  });

  it('write down the outcome and the bytes of an answer', async () => {
    const call = callOf();
    await intercepted([noteOutcome], call, async () => answer);
    assert.deepEqual(call.outcome, { code: 'OK', bytesIn: 0, bytesOut: answer.length, rows: 0 });
  });

  it('make an unforeseen failure INTERNAL with a fixed message, and log its cause', async () => {
    const logged: unknown[] = [];
    const log = { error: (fields: unknown) => logged.push(fields) } as unknown as Logger;
    const cause = new Error('a path of this machine');
    const failing = intercepted([explainFailures(log)], callOf(), () => Promise.reject(cause));
    await assert.rejects(failing, (error: CutlayerError) => error.code === 'INTERNAL' && !error.message.includes('path'));
    assert.deepEqual(logged, [{ err: cause, method: 'Forward', request: 'r-1' }]);
  });

  it("answer with the signal's reason when it aborts, before or during the work", async () => {
    const reason = new CutlayerError('DEADLINE_EXCEEDED', 'deadline: passed');
    const controller = new AbortController();
    const pending = intercepted([stopWhenAborted], callOf(controller.signal), () => new Promise<never>(() => undefined));
    controller.abort(reason);
    await assert.rejects(pending, (error) => error === reason);
    await assert.rejects(
      intercepted([stopWhenAborted], callOf(controller.signal), () => new Promise<never>(() => undefined)),
      (error) => error === reason,
    );
  });
});
