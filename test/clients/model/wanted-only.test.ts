/** A trained block's vjp computes the cotangents that a method asks for, and no others: the same bits as among all. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientBundle } from '../../../clients/typescript/index.js';
import type { SpanVariant } from '../../../clients/typescript/model/client-bundle.js';
import { spanKinds } from '../../../src/artifacts/manifest.js';
import { modelProto } from '../../../src/compiler/onnx/onnx-proto.js';
import { pruneGraph } from '../../../src/runtime/prune-graph.js';
import { f32, type Tensor, tensor } from '../../../src/tensor/tensor.js';
import { depth } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { poolRuns } from '../../support/pool-runs.js';

const [B, S, P] = [2, 5, 3];
const N = 4;

/** Deterministic values in [-1, 1]. */
function values(shape: readonly number[], phase: number): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length }, (_, i) => Math.sin(phase + i * 1.7)),
  );
}

/** Every input of every span's vjp but weights; a graph takes its own. */
function inputsOf({ dims: { hiddenSize: d, numKvHeads, headDim } }: ClientBundle): Readonly<Record<string, Tensor>> {
  const rows = values([B, S, d], 1);
  const prompt = values([P, d], 2);
  return {
    inputsEmbeds: rows,
    hiddenStates: rows,
    softPrompt: prompt,
    softPromptHidden: prompt,
    prefix: values([1, 2, P, numKvHeads, headDim], 3),
    positions: tensor('int64', [N], BigInt64Array.of(0n, 2n, 5n, 9n)),
    hiddenStatesCotangent: values([B, S, d], 4),
    softPromptHiddenCotangent: values([P, d], 5),
    rowsCotangent: values([N, d], 6),
  };
}

describe('cotangents of held blocks', () => {
  const runs = poolRuns();

  const more = ['llama', 'llama3', 'mistral', 'gemma', 'gemma3_text', 'granite', 'olmo2', 'phi3', 'qwen2', 'qwen3'];
  for (const family of ['gpt2', 'gemma2', ...depth(more, [])]) {
    const name = `${family}-tiny`;
    it(`have the same bits without those of other weights, of ${name}, in every kind and span`, async () => {
      const { bundleDir } = await packedFixture(name, { bottom: 1, top: 1 });
      const pruning = await ClientBundle.open(bundleDir, { threads: 1 });
      const whole = await ClientBundle.open(bundleDir, { threads: 1, wantedOnly: false });
      try {
        const inputs = inputsOf(pruning);
        for (const kind of spanKinds) {
          for (const span of ['bottom', 'top'] as const) {
            const variant: SpanVariant = { span, kind, trained: true };
            const all = await pruning.spanWeights(span, {});
            const [wanted] = Object.entries(all);
            const weights = Object.fromEntries([wanted!]);
            runs.length = 0;
            const alone = await pruning.spanVjp(variant, { ...inputs, ...all }, { weights, inputs: [] });
            const some = await pruning.spanVjp(variant, { ...inputs, ...all }, { weights });
            const expected = await whole.spanVjp(variant, { ...inputs, ...all }, { weights });
            const everything = await pruning.spanVjp(variant, { ...inputs, ...all }, { weights: all });
            assert.deepEqual(some, expected, `${span} ${kind}`);
            const [only] = Object.keys(weights);
            assert.deepEqual(alone, { [`${only}Cotangent`]: some[`${only}Cotangent`] });
            const weightNames = Object.keys(some).filter((output) => output.replace(/Cotangent$/, '') in all);
            assert.deepEqual(weightNames, [`${wanted![0]}Cotangent`]);
            for (const [output, { data }] of Object.entries(some)) {
              assert.deepEqual(data, everything[output]!.data, output);
              assert.ok(
                data.some((value) => value !== 0),
                `${output} is not zero`,
              );
            }
            assert.deepEqual(
              runs.map(({ pruned }) => pruned),
              [true, true, false, false],
            );
          }
        }
      } finally {
        await pruning.close();
        await whole.close();
      }
    });
  }

  it('are pulled back to the lowest target alone, through nothing below it', async () => {
    const { bundleDir } = await packedFixture('gpt2-tiny', { bottom: 1, top: 1 });
    const { graphs, blockWeights } = JSON.parse(await readFile(join(bundleDir, 'manifest.json'), 'utf8')) as ClientBundle['manifest'];
    const { file } = graphs.top!.trained!.none.vjp;
    const model = await readFile(join(bundleDir, file));
    const targets = blockWeights.top.filter(({ role }) => ['qkv', 'attentionOutput', 'mlpUp', 'mlpDown'].includes(role));
    for (const [lowest, through] of [
      ['mlpDown', []],
      ['mlpUp', ['mlp']],
      ['attentionOutput', ['mlp', 'mlp']],
      ['qkv', ['mlp', 'mlp', 'attention']],
    ] as const) {
      const above = targets.slice(targets.findIndex(({ role }) => role === lowest));
      const outputs = above.map(({ name }) => `${name}Cotangent`);
      const { graph } = modelProto().decode(pruneGraph(model, file, outputs)) as unknown as {
        readonly graph: {
          readonly node: readonly { readonly name: string; readonly op_type: string; readonly output: readonly string[] }[];
        };
      };
      // Products that give a target's own cotangent aside.
      const products = graph.node.filter(
        ({ name, op_type: op, output }) => /^vjp.*layers/.test(name) && op === 'Gemm' && !outputs.includes(output[0]!),
      );
      assert.deepEqual(
        products.map(({ name }) => name.split('/')[2]),
        through,
        lowest,
      );
    }
  });
});
