import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { randomBatch } from '../../bench/gateway-trainer.js';
import { openSession } from '../../bench/session.js';
import { gatewayTimes, partsOf, StepClock, type StepParts, stepParts } from '../../bench/step-parts.js';
import { SoftPrompt, TrainingClient } from '../../clients/typescript/index.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway } from '../support/test-gateway.js';

const sumOf = (parts: StepParts): number => stepParts.reduce((sum, part) => sum + parts[part], 0);

describe('the parts of a training step', () => {
  it('add up to the step', () => {
    const parts = partsOf(100, { embedding: 2, headAndLoss: 20, optimizer: 1, calls: 70 }, { wait: 3, forward: 25, vjp: 31 });
    assert.deepEqual(parts, {
      ...{ embedding: 2, 'gateway forward': 25, 'head and loss': 20, 'gateway vjp': 31, optimizer: 1, wire: 11, wait: 3, rest: 7 },
    });
    assert.equal(sumOf(parts), 100);
  });

  it('take the gateway’s from its metrics, over all tenants', () => {
    const metrics = [
      '# TYPE cutlayer_compute_seconds histogram',
      'cutlayer_compute_seconds_bucket{le="1",op="forward",tenant="a"} 9',
      'cutlayer_compute_seconds_sum{op="forward",tenant="a"} 1.5',
      'cutlayer_compute_seconds_sum{op="forward",tenant="b"} 0.25',
      'cutlayer_compute_seconds_sum{op="vjp",tenant="a"} 2',
      'cutlayer_queue_seconds_sum{tenant="a"} 0.5',
    ].join('\n');
    assert.deepEqual(gatewayTimes(metrics), { wait: 500, forward: 1750, vjp: 2000 });
    assert.deepEqual(gatewayTimes(''), { wait: 0, forward: 0, vjp: 0 });
  });

  it('are all found in a step through a gateway', async () => {
    const packed = await packedFixture('gpt2-tiny', { bottom: 0, top: 0 });
    const { gateway, ca, token, close } = await startTestGateway({ backboneDir: packed.backboneDir });
    const options = { address: gateway.listen, ca: ca.toString(), token: await token() };
    const session = await openSession(dirname(packed.bundleDir), options);
    try {
      const { bundle, connection } = session;
      const client = new TrainingClient(bundle, connection, await SoftPrompt.create(bundle, 2, { init: 'SAMPLE_VOCAB', seed: 1 }));
      const batch = randomBatch(bundle.vocabSize, { batch: 2, sequence: 6, virtualTokens: 2 });
      const clock = new StepClock(client, bundle, gateway.admin);
      let taken = 0;
      const step = async () => {
        const start = performance.now();
        await client.forwardBackward(batch);
        await client.optimStep();
        taken = performance.now() - start;
      };
      for (let round = 0; round < 2; round++) {
        const parts = await clock.parts(step);
        for (const part of ['embedding', 'gateway forward', 'head and loss', 'gateway vjp', 'optimizer', 'wire'] as const)
          assert.ok(parts[part] > 0, `${part} took ${parts[part]} ms`);
        assert.ok(parts.wait >= 0 && parts.rest > 0, JSON.stringify(parts));
        assert.ok(sumOf(parts) > taken - 1e-6, `${sumOf(parts)} ms of ${taken}`);
      }
    } finally {
      await session.close();
      await close();
    }
  });
});
