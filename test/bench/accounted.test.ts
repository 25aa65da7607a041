import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { accountedBytes } from '../../bench/soak/accounted.js';
import type { SplitClient } from '../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { encodeTensor } from '../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../src/tensor/tensor.js';
import { bearer, splitCalls, startTestGateway } from '../support/test-gateway.js';
import { tinyBackbone } from '../support/tiny-backbone.js';

describe('the memory that a soak asks a gateway for', () => {
  it('is what its budgets count: kept inputs and residuals, and the messages of calls', async () => {
    const { dir, digest } = await tinyBackbone({ hiddenSize: 16, numLayers: 2 });
    const { gateway, connect, token, close } = await startTestGateway({ backboneDir: dir });
    try {
      assert.equal(await accountedBytes(gateway.admin), 0);
      const { hiddenSize } = gateway.engine.artifact.manifest.dims;
      const hiddenStates = encodeTensor(f32([1, 4, hiddenSize], new Float32Array(4 * hiddenSize).fill(0.5)), 'f32');
      const step = { stepId: 'kept', backboneDigest: digest, hiddenStates, lengths: [4], positions: [3], training: true };
      const client: SplitClient = connect();
      await splitCalls(client).forward(step, bearer(await token()));
      while (gateway.engine.stats().callBytes > 0) await delay(5); // the answer's, until its stream has closed
      const { inputBytes, residualBytes } = gateway.engine.stats();
      assert.ok(inputBytes > 0 && residualBytes > 0);
      assert.equal(await accountedBytes(gateway.admin), inputBytes + residualBytes);
      gateway.engine.messages.add('acme', 1000);
      assert.equal(await accountedBytes(gateway.admin), inputBytes + residualBytes + 1000);
    } finally {
      await close();
    }
  });

  it('is an error when the answer has no such metrics', async () => {
    const server = createServer((_, response) => response.end('cutlayer_residual_bytes_of_others 1\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      await assert.rejects(accountedBytes(`127.0.0.1:${port}`), /metrics have no cutlayer_residual_bytes$/);
    } finally {
      server.close();
    }
  });
});
