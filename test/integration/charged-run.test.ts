/** A training run's work, counted three times alike: before it, by the client, by the gateway. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chargedText, forecastLines } from '../../clients/typescript/cli/train/charged-text.js';
import {
  ClientBundle,
  connect,
  loadExamples,
  Prefix,
  RemoteModel,
  SoftPrompt,
  SplitModel,
  TrainingClient,
  train,
} from '../../clients/typescript/index.js';
import { batchLimits } from '../../clients/typescript/inference/batch-limits.js';
import { forecast } from '../../clients/typescript/training/forecast.js';
import { thorough } from '../support/exhaustive.js';
import { packedFixture } from '../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../support/test-gateway.js';
import { writeNotes } from '../support/training-data.js';

describe('the work of a training run', () => {
  let dir: string;
  let running: TestGateway;
  let bundle: ClientBundle;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-charged-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    await writeFile(join(dir, 'prices.yaml'), 'currency: EUR\nmodels: { "*": { forward: 100, backward: 300, gigabyte: 5 } }\n');
    running = await startTestGateway({ backboneDir, start: { prices: join(dir, 'prices.yaml') } });
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    writeNotes(join(dir, 'train.jsonl'), 10, 1);
    writeNotes(join(dir, 'valid.jsonl'), 3, 2);
  });
  after(async () => {
    await bundle.close();
    await running.close();
    await rm(dir, { recursive: true, force: true });
  });

  const cases = {
    'a soft prompt in float32': { wireDtype: 'f32', method: SoftPrompt },
    'a prefix in int8': { wireDtype: 'int8', method: Prefix },
  } as const;
  for (const [name, { wireDtype, method }] of Object.entries(cases)) {
    (method === SoftPrompt ? it : thorough)(`is forecast, counted and charged alike: ${name}`, async () => {
      const tenant = wireDtype;
      const token = await running.token({ tenant });
      const connection = await connect({ address: running.gateway.listen, ca: running.gateway.caFile!, token, wireDtype });
      try {
        const adapter =
          method === SoftPrompt
            ? await SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed: 9 })
            : await Prefix.create(bundle, 4, { seed: 9 });
        const examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
        const validation = await loadExamples(join(dir, 'valid.jsonl'), bundle.tokenizer, { maxLength: 60 });
        const model = new SplitModel(bundle, new RemoteModel(connection));
        const run = { examples, validation, totalSteps: 3, accumulation: 2, seed: 5, evalEvery: 2 };
        const limits = batchLimits(model, adapter, { batchSize: 3 });
        const expected = await forecast(model, adapter, { ...run, limits, expectedBatch: undefined });
        const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.01 });
        await train(client, { ...run, outDir: join(dir, tenant), batchSize: 3, tensorboard: false });

        const response = await fetch(`http://${running.gateway.admin}/v1/usage`, { headers: { authorization: `Bearer ${token}` } });
        const { rows } = (await response.json()) as { rows: Record<string, number | string>[] };
        const sum = (column: string): number => rows.reduce((total, row) => total + Number(row[column]), 0);
        const charged = { forward: sum('forward'), backward: sum('backward'), bytesIn: sum('bytesIn'), bytesOut: sum('bytesOut') };
        assert.deepEqual(connection.charged, charged);
        assert.deepEqual(expected, charged);
        // What the notes begin with was sent once a batch; not beside a prefix.
        assert.equal(connection.counters.rowsShared > 0, method === SoftPrompt);
        assert.ok(charged.backward > 0 && charged.forward > charged.backward);
        const text = chargedText(connection.charged, connection.card.prices);
        assert.match(text, new RegExp(`; EUR ${rows[0]!.cost}$`));
        assert.ok(forecastLines(3, expected, connection.card, connection.wireDtype).some((line) => line.includes(text)));
      } finally {
        connection.close();
      }
    });
  }
});
