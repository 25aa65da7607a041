/** Padding to a few lengths: what the gateway sees, and that results stay. */
import assert from 'node:assert/strict';
import { makeBatch, unlabelledBatch } from '../../../clients/typescript/data/batch.js';
import { evaluationBatches } from '../../../clients/typescript/data/order.js';
import { Defences } from '../../../clients/typescript/defences/defences.js';
import { padLengths } from '../../../clients/typescript/defences/pad-lengths.js';
import { batchLimits } from '../../../clients/typescript/inference/batch-limits.js';
import { DecodeSession } from '../../../clients/typescript/inference/decode-session.js';
import { generateTokens } from '../../../clients/typescript/inference/generate.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { type DefendedRig, defendedRig } from '../../support/defended-rig.js';
import { depth } from '../../support/exhaustive.js';
import { maxRelativeError } from '../../support/packed-model.js';

describe('padding to lengths', () => {
  it('goes to the next length, beyond the last to its multiples, and to no more rows than there are positions', () => {
    const { padded } = padLengths([8, 16]);
    const found = [1, 8, 9, 16, 17, 33, 60].map((length) => padded(length, 50));
    assert.deepEqual(found, [8, 8, 16, 16, 32, 48, 60]);
    assert.equal(padded(45, 46), 46);
    for (const wrong of [[], [8, 8], [16, 8], [0, 8], [1.5]])
      assert.throws(() => padLengths(wrong), { code: 'INVALID_ARGUMENT', message: /ascending whole numbers/ });
  });

  const cuts = [
    { fixture: 'llama-tiny', bottom: 0, top: 0 },
    { fixture: 'llama-tiny', bottom: 1, top: 1 },
  ];
  for (const { fixture, ...cut } of depth(cuts, cuts.slice(0, 1))) {
    describe(`of ${fixture} cut at ${cut.bottom} and ${cut.top}`, () => {
      let rig: DefendedRig;
      before(async () => {
        rig = await defendedRig(fixture, cut);
      });
      after(() => rig.close());
      const padding = () => new Defences([], padLengths([8, 12]));
      const texts = [
        [5, 9, 3],
        [9, 3, 1, 4, 2, 2, 7, 8, 1],
        [7, 7, 1, 2, 3],
      ];
      const prompt = () => ({
        softPrompt: f32([2, rig.bundle.dims.hiddenSize], new Float32Array(2 * rig.bundle.dims.hiddenSize).fill(0.1)),
      });
      const batch = makeBatch(
        texts.map((ids) => ({ tokenIds: Int32Array.from(ids), labelMask: Uint8Array.from(ids, (_, at) => (at > 1 ? 1 : 0)) })),
      );

      it('shows the listed lengths, and all rows as wanted; without it the gateway sees those of the texts', async () => {
        const [plain, padded] = [await rig.model(), await rig.model(padding())];
        const [expected, found] = await Promise.all([plain, padded].map(({ model }) => model.gradient(batch, prompt())));
        assert.deepEqual(plain.sent[0]!.lengths, [3, 9, 5]);
        assert.deepEqual([padded.sent[0]!.lengths, padded.sent[0]!.hiddenStates.shape[1]], [[8, 12, 8], 12]);
        assert.equal(padded.sent[0]!.positions, undefined);
        assert.ok(Math.abs(found!.lossSum - expected!.lossSum) < 1e-5 * expected!.lossSum);
        assert.deepEqual(found!.exact, expected!.exact);
        assert.ok(maxRelativeError(found!.cotangents.softPrompt!, expected!.cotangents.softPrompt!) < 1e-4);
      });

      it('gives the logits, the rows and the generated tokens of the texts', async () => {
        const [{ model: plain }, { model: padded, sent }] = [await rig.model(), await rig.model(padding())];
        const asked = unlabelledBatch(texts);
        for (const which of ['last', 'all'] as const)
          assert.ok(
            maxRelativeError(await padded.hiddenStates(asked, prompt(), which), await plain.hiddenStates(asked, prompt(), which)) < 1e-5,
          );
        assert.ok(maxRelativeError(await padded.nextLogits(asked, prompt()), await plain.nextLogits(asked, prompt())) < 1e-5);
        assert.ok(DecodeSession.possible(plain, {}) && !DecodeSession.possible(padded, {}));
        const tokens = async (model: typeof plain) => {
          const ids: number[] = [];
          for await (const id of generateTokens(model, undefined, texts[0]!, { maxNewTokens: 6 })) ids.push(id);
          return ids;
        };
        sent.splice(0);
        assert.deepEqual(await tokens(padded), await tokens(plain));
        assert.ok(sent.length > 0 && sent.every(({ lengths }) => lengths[0] === 8 || lengths[0] === 12));
      });

      it('counts the filler in the rows of a batch', async () => {
        const { model } = await rig.model(padding());
        const limits = batchLimits(model, undefined, { batchSize: 8, maxTokensPerBatch: 24 });
        assert.deepEqual(evaluationBatches([3, 9, 5, 7], limits), [[0, 2, 3], [1]]);
      });
    });
  }
});
