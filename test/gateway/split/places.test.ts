/** A call without a place in the queue takes no more of the gateway than its refusal. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { bearer, splitCalls, startTestGateway } from '../../support/test-gateway.js';

describe('places in the queue over gRPC', () => {
  it('refuses a call without one before its request is looked at, whatever is wrong with that', async () => {
    const running = await startTestGateway({ start: { allowPrefixInit: true } });
    try {
      const calls = splitCalls(running.connect());
      const metadata = bearer(await running.token());
      const methods = [calls.forward, calls.backward, calls.keyValues];
      const codes = () =>
        Promise.all(
          methods.map((method) =>
            method({}, metadata).then(
              () => 'answered',
              (caught) => CutlayerError.from(caught).code,
            ),
          ),
        );
      assert.ok(!(await codes()).includes('QUEUE_FULL'));
      const asked: string[] = [];
      running.gateway.engine.requirePlace = (tenant) => {
        asked.push(tenant);
        throw new CutlayerError('QUEUE_FULL', 'queue: 64 calls are waiting');
      };
      assert.deepEqual([await codes(), asked], [Array(3).fill('QUEUE_FULL'), Array(3).fill('acme')]);
    } finally {
      await running.close();
    }
  });
});
