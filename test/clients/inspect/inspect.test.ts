/** What inspection says of adapters on disk. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePartialCheckpoint } from '../../../clients/typescript/adapters/partial-checkpoint.js';
import { writeSidecar } from '../../../clients/typescript/adapters/sidecar.js';
import { reportAdapter } from '../../../clients/typescript/inspect/adapter-report.js';
import { nearestTokens } from '../../../clients/typescript/inspect/nearest-tokens.js';
import { writeTensors } from '../../../src/safetensors/tensors-file.js';
import { f32 } from '../../../src/tensor/tensor.js';

describe('inspecting an adapter', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-inspect-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const writePrompt = async (at: string, values: readonly number[]) => {
    await mkdir(at, { recursive: true });
    const config = { peft_type: 'PROMPT_TUNING', base_model_name_or_path: 'acme/base', num_virtual_tokens: 2, revision: null };
    await writeFile(join(at, 'adapter_config.json'), JSON.stringify(config));
    await writeTensors(join(at, 'adapter_model.safetensors'), { prompt_embeddings: f32([2, 2], values) });
  };

  it("tells method, shapes, sizes, norms and base of PEFT's files", async () => {
    await writePrompt(dir, [3, 4, 6, 8]);
    const report = await reportAdapter(dir);
    assert.equal(report.found, 'adapter');
    assert.equal(report.method, 'prompt-tuning');
    assert.equal(report.parameters, 4);
    assert.equal(report.backboneDigest, null);
    const [part] = report.parts;
    assert.equal(part!.base, 'acme/base');
    assert.deepEqual(part!.config, { num_virtual_tokens: 2 });
    assert.deepEqual(part!.tensors, [
      { name: 'prompt_embeddings', dtype: 'F32', shape: [2, 2], parameters: 4, rowNorms: { mean: 7.5, min: 5, max: 10 }, nonFinite: 0 },
    ]);
  });

  it("reads a method's own files too, with the names of its classes", async () => {
    await writePartialCheckpoint(dir, { 'score.weight': f32([2, 2], [3, 4, 0, 0]) }, { title: 'a head', loading: 'Model.load()' });
    const identity = { backboneDigest: 'a'.repeat(64), tokenizerDigest: 'b'.repeat(64) };
    await writeSidecar(dir, 'classification-head', identity, { labels: ['no', 'yes'] });
    const report = await reportAdapter(dir);
    assert.deepEqual([report.method, report.backboneDigest, report.parameters], ['classification-head', 'a'.repeat(64), 4]);
    const { peftType, config, tensors } = report.parts[0]!;
    assert.deepEqual([peftType, config], [null, { labels: ['no', 'yes'] }]);
    assert.deepEqual(tensors[0]!.rowNorms, { mean: 2.5, min: 0, max: 5 });
  });

  it('counts what is not finite, and gives the norms of the rest', async () => {
    await writePrompt(dir, [Number.NaN, 4, Number.POSITIVE_INFINITY, 8]);
    const [tensor] = (await reportAdapter(dir)).parts[0]!.tensors;
    assert.deepEqual([tensor!.nonFinite, tensor!.rowNorms.min, tensor!.rowNorms.max], [2, 4, 8]);
  });

  it("takes a run's result, else its best adapter, else its newest checkpoint, and tells the run's losses", async () => {
    await writeFile(
      join(dir, 'metrics.jsonl'),
      '{"type":"step","step":1,"loss":3}\n{"type":"step","step":2,"loss":2}\n{"type":"validation","step":2,"loss":2.5}\n{"type":"st',
    );
    await assert.rejects(reportAdapter(dir), { code: 'NOT_FOUND', message: /no adapter and no checkpoint yet/ });
    for (const name of ['checkpoints/step-00000002', 'best', 'adapter']) {
      await writePrompt(join(dir, name), [1, 0, 0, 1]);
      const report = await reportAdapter(dir);
      assert.equal(report.found, 'run');
      assert.equal(report.dir, join(dir, name));
      assert.deepEqual(
        { ...report.run },
        { steps: 2, lastLoss: 2, bestValidationLoss: 2.5, checkpoints: ['step-00000002'], losses: [3, 2] },
      );
    }
  });

  it('says what it expected where there is no adapter', async () => {
    await assert.rejects(reportAdapter(join(dir, 'absent')), {
      code: 'NOT_FOUND',
      message: /expected an adapter, a checkpoint or the directory/,
    });
    await assert.rejects(reportAdapter(dir), { code: 'NOT_FOUND', message: /adapter_config\.json/ });
  });

  it('finds the tokens whose embeddings point most nearly where a virtual token does, whatever their lengths', async () => {
    const table = [
      [0, 0],
      [5, 0],
      [0, 0.1],
      [1, 1],
      [-1, 0],
    ];
    const vocabulary = {
      vocabSize: table.length,
      embed: async (ids: readonly number[]) =>
        f32(
          [ids.length, 2],
          ids.flatMap((id) => table[id]!),
        ),
    };
    const near = await nearestTokens(vocabulary, f32([2, 2], [0.01, 0, 3, 2.9]), 2);
    assert.deepEqual(
      near.map((row) => row.map(({ tokenId, cosine }) => [tokenId, Math.round(cosine * 100)])),
      [
        [
          [1, 100],
          [3, 71],
        ],
        [
          [3, 100],
          [1, 72],
        ],
      ],
    );
  });
});
