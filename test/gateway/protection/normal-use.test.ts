/** Training of every method, and decoding, through a gateway with the standard policy. */
import assert from 'node:assert/strict';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  createAdapter,
  type Example,
  evaluate,
  generate,
  type MethodName,
  type MethodSettingsInput,
  methodNames,
  RemoteModel,
  SplitModel,
  TrainingClient,
  toExamples,
} from '../../../clients/typescript/index.js';
import { depth, every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

/** What each method needs to be made at all. */
const settings: Readonly<Record<MethodName, MethodSettingsInput>> = {
  'prompt-tuning': { virtualTokens: 3 },
  'p-tuning': { virtualTokens: 3, encoderHidden: 8 },
  'prefix-tuning': { virtualTokens: 3 },
  'multitask-prompt-tuning': { virtualTokens: 3, tasks: ['parts', 'signs'] },
  'trainable-tokens': { tokens: ['a', 'e'] },
  lora: { rank: 2 },
  full: {},
  'classification-head': { labels: ['pump', 'valve'] },
};

/** Half of a bound is as near as normal use may come. */
const MOST_SHARE = 0.5;

describe('normal use under the standard policy', () => {
  let gateway: TestGateway;
  let bundle: ClientBundle;
  let connection: Connection;

  before(async () => {
    const packed = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
    connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
  });
  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.close();
  });

  const examplesOf = (adapter: Adapter): readonly Example[] =>
    ['The pump runs hot', 'The valve leaks', 'A pump stopped', 'The valve is noisy'].flatMap((text, line) =>
      toExamples(
        { form: 'text', text, label: text.includes('pump') ? 'pump' : 'valve', task: 'signs' },
        bundle.tokenizer,
        { maxLength: 40, labels: adapter.labels, tasks: adapter.tasks },
        `test:${line + 1}`,
      ),
    );

  for (const method of every(7, methodNames)) {
    it(`${method}: trains and evaluates the same texts again and again`, async () => {
      const adapter = await createAdapter({ bundle }, method, Object.assign({ seed: 7 }, settings[method]) as MethodSettingsInput);
      const examples = examplesOf(adapter);
      const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.01 });
      const steps = depth(100, 12);
      for (let step = 0; step < steps; step++) {
        void client.forwardBackward(examples.slice(0, 2 + (step % 3)));
        await client.optimStep();
        if (step % 4 === 0) await evaluate(new SplitModel(bundle, new RemoteModel(connection)), adapter, examples);
      }
    });
  }

  it('decodes with drafts, which roll rows back', async () => {
    const model = new SplitModel(bundle, new RemoteModel(connection));
    for (let text = 0; text < 3; text++) {
      let pieces = 0;
      for await (const piece of generate(model, undefined, 'the pump the pump the pump', { maxNewTokens: 16, draftTokens: 4 }))
        pieces += piece.length;
      assert.ok(pieces >= 0);
    }
  });

  it('has refused nothing, raised no alarm, and stayed far from every bound of a day', () => {
    const { protection } = gateway.gateway;
    const { protectionRefused, protectionAlarms } = protection.stats();
    assert.deepEqual([protectionRefused, protectionAlarms], [0, 0]);
    for (const policy of ['directionsPerInput', 'nearInputs'] as const) {
      const share = protection.nearest().get(policy) ?? 0;
      assert.ok(share <= MOST_SHARE, `${policy}: ${share} of its bound`);
    }
  });
});
