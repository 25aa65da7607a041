/** Rows under a learned transform, in training, evaluation and decoding. */
import assert from 'node:assert/strict';
import type { StepParts } from '../../../clients/typescript/adapters/adapter.js';
import { mapValues, mapWeights, rowMoments } from '../../../clients/typescript/adapters/learned-map.js';
import { makeBatch, unlabelledBatch } from '../../../clients/typescript/data/batch.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { learnedNoise } from '../../../clients/typescript/defences/learned-noise.js';
import { LearnedPass } from '../../../clients/typescript/defences/learned-pass.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { type DefendedRig, defendedRig } from '../../support/defended-rig.js';
import { depth } from '../../support/exhaustive.js';
import { hasCode } from '../../support/has-code.js';
import { direction, mapOf } from '../../support/learned-map.js';
import { maxRelativeError } from '../../support/packed-model.js';

/** Sequences that begin alike, of one length. */
const BEGINNING = [5, 9, 0, 7, 3, 5, 1, 2, 9, 4, 6, 8, 3, 3];
const sequences = [1, 2].map((own) => [...BEGINNING, own, 11, own, 4, 5, own, 7, 8]);
const batch = makeBatch(
  sequences.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: Uint8Array.from(ids, (_, at) => (at % 3 === 2 ? 1 : 0)) })),
);
const TARGETS = batch.targets.length;

/** A secret whose noise does not change with the transform, so that differences can be taken. */
function frozenSecret(): NoiseSecret {
  const secret = NoiseSecret.parse('6'.repeat(64), 'test');
  const streams: NoiseSecret['streams'] = (_, ...rest) => secret.streams('frozen', ...rest);
  return Object.create(secret, { streams: { value: streams } }) as NoiseSecret; // no other member is used
}

const cuts = [
  { fixture: 'llama-tiny', bottom: 1, top: 1 },
  { fixture: 'gpt2-tiny', bottom: 0, top: 0 },
  { fixture: 'llama-tiny', bottom: 0, top: 0 },
];
for (const { fixture, ...cut } of depth(cuts, cuts.slice(0, 1))) {
  describe(`rows of ${fixture} cut at ${cut.bottom} and ${cut.top} under a learned transform`, () => {
    let rig: DefendedRig;
    before(async () => {
      rig = await defendedRig(fixture, cut);
    });
    after(() => rig.close());

    const parts = (by = 0): StepParts => {
      const { hiddenSize } = rig.bundle.dims;
      const prompt = Float32Array.from({ length: 2 * hiddenSize }, (_, i) => Math.sin(i) * 0.3 + by * Math.cos(3 * i));
      const sizes = { shift: 0.2, spread: 0.05, bias: (at: number) => 0.05 * Math.sin(at) };
      return { softPrompt: f32([2, hiddenSize], prompt), rowTransform: mapOf({ hiddenSize, unit: rig.deviation, ...sizes, by }) };
    };
    const defences = (strength: number, secret = frozenSecret()) => new Defences([learnedNoise({ strength, secret })]);

    it('are Gaussian around the shifted rows, the same at each sending; without the stage they are the rows', async () => {
      const secret = NoiseSecret.parse('8'.repeat(64), 'test');
      const [plain, noised] = [await rig.model(undefined, false), await rig.model(defences(1, secret), false)];
      await plain.model.evaluate(batch, parts());
      for (const by of [0, 0, 1e-3]) await noised.model.evaluate(batch, parts(by));
      const [rows, sent, again, moved] = [plain.sent[0]!, ...noised.sent].map((input) => input!.hiddenStates.data);
      assert.deepEqual(sent, again);
      assert.deepEqual(noised.sent[0]!.adapter, plain.sent[0]!.adapter);
      const map = mapValues(parts().rowTransform!);
      const normal = (of: Float32Array): Float64Array => {
        const found = new Float64Array(of.length);
        for (let at = 0; at < of.length; at += map.width) {
          const { mean, deviation } = rowMoments(map, rows!.subarray(at, at + map.width));
          for (let j = 0; j < map.width; j++) found[at + j] = (of[at + j]! - mean[j]!) / deviation[j]!;
        }
        return found;
      };
      const [noise, other] = [normal(sent!), normal(moved!)];
      const size = Math.hypot(...noise) / Math.sqrt(noise.length);
      assert.ok(size > 0.9 && size < 1.1, `${size} deviations`);
      // Other values of the transform have other noise.
      const product = noise.reduce((sum, value, i) => sum + value * other[i]!, 0) / noise.length;
      assert.ok(Math.abs(product) < 0.15, `${product}`);
      await assert.rejects(
        noised.model.evaluate(batch, { softPrompt: parts().softPrompt! }),
        hasCode('INVALID_ARGUMENT', /learned-noise: expected an adapter that was trained with it/),
      );
    });

    it('have the derivatives of loss and bound, in the transform and in what is below it', async () => {
      const strength = 0.5;
      const { model } = await rig.model(defences(strength), false);
      const { cotangents } = await model.gradient(batch, parts());
      const objective = async (by: number): Promise<number> => {
        const plain = await rig.model(undefined, false);
        await plain.model.evaluate(batch, parts(by));
        const pass = LearnedPass.of(parts(by).rowTransform, { strength, weight: TARGETS })!;
        const rows = plain.sent[0]!.hiddenStates.data.slice();
        pass.forward(rows, new Float64Array(rows.length));
        return (await model.evaluate(batch, parts(by))).lossSum + strength * TARGETS * pass.bound();
      };
      const expected =
        cotangents.softPrompt!.data.reduce((sum, value, i) => sum + value * Math.cos(3 * i), 0) +
        mapWeights.reduce(
          (sum, name) => sum + cotangents.rowTransform![name]!.data.reduce((part, value, i) => part + value * direction(name, i), 0),
          0,
        );
      const found = ((await objective(0.002)) - (await objective(-0.002))) / 0.004;
      assert.ok(Math.abs(found - expected) < 0.02 * Math.max(1, Math.abs(expected)), `${found}, cotangents say ${expected}`);
    });

    it('have the same derivatives whether text that sequences begin with is shared or not', async () => {
      const [shared, apart] = [await rig.model(defences(1e-9)), await rig.model(defences(1e-9), false)];
      const [first, second] = await Promise.all([shared, apart].map(({ model }) => model.gradient(batch, parts())));
      assert.notEqual(shared.sent[0]!.hiddenStates.shape[1], apart.sent[0]!.hiddenStates.shape[1]);
      for (const name of mapWeights) {
        const error = maxRelativeError(first!.cotangents.rowTransform![name]!, second!.cotangents.rowTransform![name]!);
        assert.ok(error < 2e-3, `${name}: ${error}`);
      }
    });

    it('are the same token by token as in whole sequences', async () => {
      const { model } = await rig.model(defences(1, NoiseSecret.parse('9'.repeat(64), 'test')));
      const text = sequences[0]!;
      const whole = await model.hiddenStates(unlabelledBatch([text]), parts(), 'all');
      const session = await DecodeSession.open(model, parts(), { maxTokens: text.length, promptTokens: 5 });
      try {
        await session.append(text.slice(0, 5), 1);
        for (const token of text.slice(5, -1)) await session.append([token], 1);
        const last = await session.append(text.slice(-1), 1);
        const expected = f32(last.shape, whole.data.slice(-last.data.length));
        assert.ok(maxRelativeError(last, expected) < 1e-4, `${maxRelativeError(last, expected)}`);
      } finally {
        session.close();
      }
    });
  });
}
