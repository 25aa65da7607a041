/** A client sends no padding where the gateway takes that, and computes the same where it does not. */
import assert from 'node:assert/strict';
import { type Batch, makeBatch } from '../../../clients/typescript/data/batch.js';
import { ClientBundle, type Connection, connect, RemoteModel, SplitModel } from '../../../clients/typescript/index.js';
import { stepWork } from '../../../clients/typescript/model/step-work.js';
import { wireRows } from '../../../clients/typescript/model/wire-rows.js';
import { zeros } from '../../../src/tensor/floats.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const example = (length: number, from: number) => ({
  tokenIds: Int32Array.from({ length }, (_, i) => (from + i * 7) % 10),
  labelMask: Uint8Array.from({ length }, (_, i) => (i > 1 ? 1 : 0)),
});

describe('rows on the wire', () => {
  it('have no padding where the gateway takes that, the batch has some, and its length is that of its longest text', () => {
    const countOf = (lengths: readonly number[], sequence: number, takesPacked: boolean) =>
      wireRows({ batch: 2, sequence, lengths }, takesPacked).shape(8);
    assert.deepEqual(countOf([2, 5], 5, true), [7, 8]);
    assert.deepEqual(countOf([2, 5], 5, false), [2, 5, 8]);
    assert.deepEqual(countOf([5, 5], 5, true), [2, 5, 8]);
    assert.deepEqual(countOf([2, 5], 6, true), [2, 6, 8]);
  });

  const cases = [
    { fixture: 'llama-tiny', bottom: 0, top: 0 },
    ...['gpt2-tiny', 'gemma2-tiny', 'qwen3-tiny', 'phi3-tiny', 'llama-dynamic-tiny', 'olmo2-tiny'].map((fixture) => ({
      fixture,
      bottom: 0,
      top: 0,
    })),
    { fixture: 'gpt2-tiny', bottom: 1, top: 1 },
  ];
  for (const { fixture, ...cut } of every(7, cases)) {
    describe(`of ${fixture}, cut at (${cut.bottom}, ${cut.top})`, () => {
      let gateway: TestGateway;
      let bundle: ClientBundle;
      let connections: readonly Connection[];
      before(async () => {
        const { backboneDir, bundleDir } = await packedFixture(fixture, cut);
        gateway = await startTestGateway({ backboneDir });
        bundle = await ClientBundle.open(bundleDir, { threads: 1 });
        const reach = { address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token(), shareText: false };
        connections = [await connect(reach), await connect(reach)];
        assert.equal(connections[1]!.card.packedRows, true);
        // As an older gateway's card is read.
        Object.assign(connections[1]!.card, { packedRows: false });
      });
      after(async () => {
        for (const connection of connections ?? []) connection.close();
        await bundle?.close();
        await gateway?.close();
      });

      it('give the same bits of loss, cotangents and logits for less bytes, and are charged as forecast', async () => {
        const d = bundle.dims.hiddenSize;
        const batch = makeBatch([example(4, 1), example(9, 2), example(5, 3)]);
        const softPrompt = f32(
          [3, d],
          Float32Array.from({ length: 3 * d }, (_, i) => 0.3 * Math.sin(1 + i * 1.7)),
        );
        const tokenRows = { tokenIds: [1, 8], rows: f32([2, d], softPrompt.data.slice(0, 2 * d)) };
        const run = async (connection: Connection) => {
          const model = new SplitModel(bundle, new RemoteModel(connection));
          const forecast = (of: Batch, positions: number) =>
            stepWork(model, { batch: of, parts: { softPrompt, tokenRows }, positions, training: true });
          const { lossSum, cotangents } = await model.gradient(batch, { softPrompt, tokenRows });
          const charged = { ...connection.charged };
          const { data } = await model.nextLogits(batch, { softPrompt });
          return {
            values: [lossSum, ...cotangents.softPrompt!.data, ...cotangents.tokenRows!.data, ...data],
            charged,
            forecast: forecast(batch, 12),
            sent: connection.counters.bytesUp + connection.counters.bytesDown,
          };
        };
        const [packed, padded] = [await run(connections[0]!), await run(connections[1]!)];
        assert.deepEqual(packed.values, padded.values);
        assert.deepEqual(
          [packed.charged.forward, padded.charged.forward, packed.charged.backward, padded.charged.backward],
          [3 + 18, 3 + 27, 3 + 18, 3 + 27],
        );
        assert.deepEqual([packed.charged, padded.charged], [packed.forecast, padded.forecast]);
        assert.ok(packed.sent < padded.sent);
        const model = new RemoteModel(connections[0]!);
        const step = await model.forward({ hiddenStates: f32([2, 2, d], zeros([2, 2, d]).data.fill(0.5)), lengths: [2, 1] });
        assert.deepEqual([step.output.shape, [...step.output.data.subarray(3 * d)]], [[4, d], Array(d).fill(0)]);
      });
    });
  }
});
