/** Defended rows in training, evaluation and decoding. */
import assert from 'node:assert/strict';
import type { StepParts } from '../../../clients/typescript/adapters/adapter.js';
import { makeBatch, unlabelledBatch } from '../../../clients/typescript/data/batch.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { tokenNoise } from '../../../clients/typescript/defences/token-noise.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { type DefendedRig, defendedRig, noisy } from '../../support/defended-rig.js';
import { depth } from '../../support/exhaustive.js';
import { maxRelativeError } from '../../support/packed-model.js';

/** Sequences that begin alike, for as long as sharing them pays. */
const BEGINNING = [5, 9, 0, 7, 3, 5, 1, 2, 9, 4, 6, 8, 3, 3];
const sequences = [1, 2, 3].map((own) => [...BEGINNING, own, 11, own, 4, 5, own, 7, 8, 9, own]);
const batch = makeBatch(
  sequences.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: Uint8Array.from(ids, (_, at) => (at % 3 === 2 ? 1 : 0)) })),
);

const cuts = [
  { fixture: 'gpt2-tiny', bottom: 0, top: 0 },
  { fixture: 'llama-tiny', bottom: 1, top: 1 },
  { fixture: 'llama-tiny', bottom: 0, top: 0 },
  { fixture: 'gpt2-tiny', bottom: 1, top: 0 },
];
for (const { fixture, ...cut } of depth(cuts, cuts.slice(0, 2))) {
  describe(`defended rows of ${fixture} cut at ${cut.bottom} and ${cut.top}`, () => {
    let rig: DefendedRig;
    before(async () => {
      rig = await defendedRig(fixture, cut);
    });
    after(() => rig.close());

    const prompt = (by = 0): StepParts => {
      const width = rig.bundle.dims.hiddenSize;
      return {
        softPrompt: f32(
          [2, width],
          Float32Array.from({ length: 2 * width }, (_, i) => Math.sin(i) * 0.3 + by * Math.cos(3 * i)),
        ),
      };
    };

    it('are those of the model plus noise of the asked size, the same at each sending; without the stage they are the rows', async () => {
      const plain = await rig.model(undefined, false);
      const noised = await rig.model(noisy(rig, 1.5), false);
      for (const { model } of [plain, noised, noised]) await model.evaluate(batch, prompt());
      assert.deepEqual(noised.sent[0]!.hiddenStates, noised.sent[1]!.hiddenStates);
      assert.deepEqual(noised.sent[0]!.adapter, plain.sent[0]!.adapter);
      const rows = plain.sent[0]!.hiddenStates.data;
      const noise = noised.sent[0]!.hiddenStates.data.map((value, i) => value - rows[i]!);
      const size = Math.hypot(...noise) / Math.sqrt(noise.length) / rig.deviation;
      assert.ok(size > 1.2 && size < 1.8, `${size} times the deviation`);
    });

    it('give the same loss whether text that sequences begin with is shared or not', async () => {
      const [shared, apart] = [await rig.model(noisy(rig)), await rig.model(noisy(rig), false)];
      const [first, second] = await Promise.all([shared, apart].map(({ model }) => model.gradient(batch, prompt())));
      assert.notEqual(shared.sent[0]!.hiddenStates.shape[1], apart.sent[0]!.hiddenStates.shape[1]);
      assert.ok(Math.abs(first!.lossSum - second!.lossSum) < 1e-4 * second!.lossSum);
      assert.ok(maxRelativeError(first!.cotangents.softPrompt!, second!.cotangents.softPrompt!) < 1e-3);
    });

    it('have the derivatives of the defended loss', async () => {
      const { model } = await rig.model(noisy(rig));
      const { cotangents } = await model.gradient(batch, prompt());
      const at = async (by: number) => (await model.evaluate(batch, prompt(by))).lossSum;
      const expected = cotangents.softPrompt!.data.reduce((sum, value, i) => sum + value * Math.cos(3 * i), 0);
      const found = ((await at(0.01)) - (await at(-0.01))) / 0.02;
      assert.ok(Math.abs(found - expected) < 0.02 * Math.max(1, Math.abs(expected)), `${found}, cotangent says ${expected}`);
    });

    it('are clipped and noised before the held blocks, apart for each record, with the derivatives of the clip', async () => {
      const secret = NoiseSecret.parse('7'.repeat(64), 'test');
      const clipNorm = 0.8 * rig.deviation * Math.sqrt(rig.bundle.dims.hiddenSize);
      const { model, sent } = await rig.model(new Defences([tokenNoise({ clipNorm, noiseMultiplier: 0.05, secret })]));
      const known = { ...batch, records: ['a', 'b', 'c'] };
      for (const each of [known, known, batch]) await model.evaluate(each, prompt());
      assert.equal(sent[0]!.lengths[0], sequences[0]!.length);
      assert.deepEqual(sent[0]!.hiddenStates, sent[1]!.hiddenStates);
      assert.notDeepEqual(sent[0]!.hiddenStates, sent[2]!.hiddenStates);
      const tokenIds = [0, 5, 9];
      const rows = (await rig.bundle.embed(tokenIds)).data.map((value) => value / rig.bundle.embedScale);
      const parts = (by: number): StepParts => ({
        tokenRows: {
          tokenIds,
          rows: f32(
            [3, rig.bundle.dims.hiddenSize],
            rows.map((value, i) => value * (1 + by * Math.cos(i))),
          ),
        },
      });
      const { cotangents } = await model.gradient(known, parts(0));
      const expected = cotangents.tokenRows!.data.reduce((sum, value, i) => sum + value * rows[i]! * Math.cos(i), 0);
      const at = async (by: number) => (await model.evaluate(known, parts(by))).lossSum;
      const found = ((await at(0.01)) - (await at(-0.01))) / 0.02;
      assert.ok(Math.abs(found - expected) < 0.03 * Math.max(0.5, Math.abs(expected)), `${found}, cotangent says ${expected}`);
    });

    it('are the same token by token as in whole sequences, also after a rollback', async () => {
      const { model } = await rig.model(noisy(rig));
      const text = sequences[0]!;
      const whole = await model.hiddenStates(unlabelledBatch([text]), prompt(), 'all');
      const plain = await (await rig.model()).model.hiddenStates(unlabelledBatch([text]), prompt(), 'all');
      assert.ok(maxRelativeError(whole, plain) > 0.01);
      const session = await DecodeSession.open(model, prompt(), { maxTokens: text.length, promptTokens: 5 });
      try {
        await session.append([...text.slice(0, 5), 1, 2], 1);
        session.rollback(5);
        for (const token of text.slice(5, -1)) await session.append([token], 1);
        const copy = await session.fork();
        const last = await copy.append(text.slice(-1), 1);
        copy.close();
        const expected = f32(last.shape, whole.data.slice(-last.data.length));
        assert.ok(maxRelativeError(last, expected) < 1e-4, `${maxRelativeError(last, expected)}`);
      } finally {
        session.close();
      }
    });
  });
}
