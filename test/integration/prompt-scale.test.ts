/** Where a soft prompt enters a model that scales its embedding: PEFT's space is that of transformers' `inputs_embeds`. */
import assert from 'node:assert/strict';
import { SoftPrompt } from '../../clients/typescript/adapters/soft-prompt.js';
import { type Connection, connect } from '../../clients/typescript/connection/connect.js';
import { makeBatch } from '../../clients/typescript/data/batch.js';
import { ClientBundle } from '../../clients/typescript/model/client-bundle.js';
import { RemoteModel } from '../../clients/typescript/model/remote-model.js';
import { SplitModel } from '../../clients/typescript/model/split-model.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../support/test-gateway.js';

const first = [11, 30, 7];
const text = [5, 21, 9, 33];

const families = [
  { fixture: 'gemma2-tiny', rule: 'enters as it is: rows that are tokens have been multiplied by sqrt(hiddenSize)', factor: Math.sqrt(32) },
  { fixture: 'granite-tiny', rule: 'is multiplied by embedding_multiplier: rows that are tokens are those of the table', factor: 1 },
];

for (const { fixture, rule, factor } of families) {
  describe(`a soft prompt of ${fixture}`, () => {
    let gateway: TestGateway;
    let bundle: ClientBundle;
    let connection: Connection;

    before(async () => {
      const { backboneDir, bundleDir } = await packedFixture(fixture);
      gateway = await startTestGateway({ backboneDir });
      bundle = await ClientBundle.open(bundleDir, { threads: 1 });
      connection = await connect({ address: gateway.gateway.listen, ca: gateway.gateway.caFile!, token: await gateway.token() });
    });

    after(async () => {
      connection?.close();
      await bundle?.close();
      await gateway?.close();
    });

    it(rule, async () => {
      const model = new SplitModel(bundle, new RemoteModel(connection));
      const table = await bundle.weight('model.embed_tokens.weight');
      const d = bundle.dims.hiddenSize;
      const rows = first.flatMap((id) => Array.from(table.data.subarray(id * d, (id + 1) * d), (value) => value * factor));
      const prompt = new SoftPrompt(bundle, f32([first.length, d], rows));
      const batch = (ids: readonly number[]) => makeBatch([{ tokenIds: Int32Array.from(ids), labelMask: new Uint8Array(ids.length) }]);
      const asPrompt = await model.nextLogits(batch(text), await prompt.parts());
      const asText = await model.nextLogits(batch([...first, ...text]));
      assert.ok(distance(asPrompt, asText) < 1e-5, `relative error ${distance(asPrompt, asText)}`);
    });
  });
}

/** max|a - b| / max|b| */
function distance(a: Tensor<'float32'>, b: Tensor<'float32'>): number {
  const largest = b.data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return b.data.reduce((max, value, i) => Math.max(max, Math.abs(value - a.data[i]!)), 0) / largest;
}
