/** Held blocks on rows of tokens alone, against the same blocks on padding too: the same numbers. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ClientBundle } from '../../../clients/typescript/index.js';
import type { SpanVariant } from '../../../clients/typescript/model/client-bundle.js';
import { spanKinds } from '../../../src/artifacts/manifest.js';
import { packRows } from '../../../src/protocol/wire/packed-rows.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { depth } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { maxRelativeError, positionsTensor } from '../../support/packed-model.js';
import { poolRuns } from '../../support/pool-runs.js';
import { seeded, uniform } from '../../support/random.js';

const P = 3;

const batches = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
  longer: fc.nat(2),
  kind: fc.constantFrom(...spanKinds),
  trained: fc.boolean(),
  seed: fc.nat(1000),
});
type Drawn = typeof batches extends fc.Arbitrary<infer T> ? T : never;

describe('held blocks on rows without padding', () => {
  const runs = poolRuns();

  for (const family of ['gpt2', ...depth(['gemma2', 'llama', 'llama-dynamic', 'phi3-longrope', 'qwen3'], ['gemma2'])]) {
    it(`give the rows and the cotangents of padded ones, of ${family}-tiny, in every kind and span`, async () => {
      const { bundleDir } = await packedFixture(`${family}-tiny`, { bottom: 1, top: 1 });
      const packing = await ClientBundle.open(bundleDir, { threads: 1 });
      const padding = await ClientBundle.open(bundleDir, { threads: 1, packedRows: false });
      const { hiddenSize: d, numKvHeads, headDim } = packing.dims;
      const check = async ({ lengths, longer, kind, trained, seed }: Drawn) => {
        const [batch, sequence] = [lengths.length, Math.max(...lengths) + longer];
        const random = seeded(seed);
        const drawn = (...shape: number[]) => uniform('float32', shape, random) as Tensor<'float32'>;
        const tokens = lengths.flatMap((length, b) => Array.from({ length }, (_, s) => b * sequence + s));
        /** Rows that are zero where padding is. */
        const rowsOf = (): Tensor<'float32'> => {
          const all = drawn(batch, sequence, d);
          const real = new Set(tokens);
          return f32(
            all.shape,
            all.data.map((value, at) => (real.has(Math.floor(at / d)) ? value : 0)),
          );
        };
        const lead = kind === 'softPrompt' ? P : 0;
        const wanted = tokens.filter((_, at) => at % 3 === 0).map((row) => lead + row);
        const [rows, prompt] = [drawn(batch, sequence, d), drawn(P, d)];
        const inputs = {
          inputsEmbeds: rows,
          hiddenStates: rows,
          softPrompt: prompt,
          ...(kind === 'softPrompt' && { softPromptHidden: prompt }),
          prefix: drawn(1, 2, P, numKvHeads, headDim),
          positions: positionsTensor(wanted),
          hiddenStatesCotangent: rowsOf(),
          softPromptHiddenCotangent: drawn(P, d),
          rowsCotangent: drawn(wanted.length, d),
        };
        for (const span of ['bottom', 'top'] as const) {
          const variant: SpanVariant = { span, kind, trained };
          const { hiddenStatesCotangent, ...others } = inputs;
          const weights = trained ? await packing.spanWeights(span, {}) : {};
          // A top is fed no cotangent of its hidden states: it gives one.
          const feeds = { ...others, ...weights, ...(span === 'bottom' && { hiddenStatesCotangent }) };
          runs.length = 0;
          const found = [packing, padding].map(async (bundle) => ({
            ...(await bundle.spanForward(variant, feeds, undefined, lengths)),
            ...(await bundle.spanVjp(variant, feeds, { weights, lengths })),
          }));
          const [actual, expected] = (await Promise.all(found)) as [Record<string, Tensor<'float32'>>, Record<string, Tensor<'float32'>>];
          assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
          const real = (value: Tensor<'float32'>) => (value.shape.length === 3 ? packRows(value, { lengths, sequence }) : value);
          for (const [output, value] of Object.entries(expected)) {
            assert.deepEqual(actual[output]!.shape, value.shape, output);
            const error = maxRelativeError(real(actual[output]!), real(value));
            assert.ok(error <= 1e-5, `${span} ${kind} ${output} of ${lengths}: relative error ${error}`);
          }
          const fed = runs.map(({ feeds: given }) => (given.inputsEmbeds ?? given.hiddenStates)!.shape[0]!);
          const all = batch * sequence;
          const packed = Math.min(all, tokens.length + 1);
          assert.deepEqual(fed.sort(), [packed, packed, all, all].sort(), 'rows that ran');
        }
      };
      const examples: [Drawn][] = [
        [{ lengths: [5, 1, 3], longer: 0, kind: 'softPrompt', trained: true, seed: 1 }],
        [{ lengths: [2, 4], longer: 2, kind: 'prefix', trained: false, seed: 2 }],
        [{ lengths: [3, 3], longer: 0, kind: 'none', trained: true, seed: 3 }],
      ];
      try {
        await fc.assert(fc.asyncProperty(batches, check), { seed: 20261130, numRuns: depth(30, 4), examples });
      } finally {
        await packing.close();
        await padding.close();
      }
    });
  }
});
