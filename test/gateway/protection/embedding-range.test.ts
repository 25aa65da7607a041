/** The bounds on rows that a backbone's manifest gives a gateway without a file of policies. */
import assert from 'node:assert/strict';
import { ClientBundle, type Connection, connect, createAdapter, TrainingClient, toExamples } from '../../../clients/typescript/index.js';
import { CutlayerError } from '../../../src/errors.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

describe('rows outside the range of the embedding', () => {
  let gateway: TestGateway;
  let bundle: ClientBundle;
  let connection: Connection;
  before(async () => {
    const packed = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
    connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
  });
  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.close();
  });

  /** Sends the rows of four tokens, each multiplied. */
  async function forward(factor: number): Promise<string> {
    const { data, shape } = await bundle.embed([5, 6, 7, 8]);
    const rows = f32(
      [1, ...shape],
      data.map((value) => value * factor),
    );
    const request = { stepId: `x${factor}`, backboneDigest: gateway.gateway.backboneDigest, lengths: [4], positions: [], training: true };
    const metadata = bearer(await gateway.token());
    return splitCalls(gateway.connect())
      .forward({ ...request, hiddenStates: encodeTensor(rows, 'f32') }, metadata)
      .then(
        () => 'answered',
        (caught: unknown) => String(CutlayerError.from(caught).details.policy),
      );
  }

  it('are refused without a file, far from every token, and those of tokens are not', async () => {
    const { embeddingNorms } = gateway.gateway.engine.artifact.manifest;
    const { minRowNorm, maxRowNorm } = gateway.gateway.protection.policyOf('acme');
    assert.ok(Math.abs(minRowNorm! / (embeddingNorms!.least / 4) - 1) < 1e-3);
    assert.ok(Math.abs(maxRowNorm! / (embeddingNorms!.greatest * 16) - 1) < 1e-3);
    assert.deepEqual([await forward(1e-3), await forward(1), await forward(1e3)], ['min-row-norm', 'answered', 'max-row-norm']);
  });

  it('are not reached by training of the rows themselves', async () => {
    const adapter = await createAdapter({ bundle }, 'trainable-tokens', { seed: 7, tokens: ['a', 'e'] });
    const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.05 });
    const examples = ['a a e', 'e a pump'].flatMap((text, line) =>
      toExamples({ form: 'text', text }, bundle.tokenizer, { maxLength: 40 }, `test:${line + 1}`),
    );
    const { protectionRefused: before } = gateway.gateway.protection.stats();
    for (let step = 0; step < 16; step++) {
      void client.forwardBackward(examples);
      await client.optimStep();
    }
    assert.equal(gateway.gateway.protection.stats().protectionRefused, before);
  });

  it('are not bounded where a manifest does not say the range', async () => {
    const older = await startTestGateway();
    try {
      const { minRowNorm, maxRowNorm } = older.gateway.protection.policyOf('acme');
      assert.deepEqual([minRowNorm, maxRowNorm], [undefined, undefined]);
    } finally {
      await older.close();
    }
  });
});
