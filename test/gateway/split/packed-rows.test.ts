/** Steps without padding rows: the answers are those of the same step with padding, bit for bit. */
import assert from 'node:assert/strict';
import type { Metadata } from '@grpc/grpc-js';
import fc from 'fast-check';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { Tensor__Output } from '../../../src/protocol/wire/generated/cutlayer/v1/Tensor.js';
import { packedStarts, packRows, paddedStarts, renumbered } from '../../../src/protocol/wire/packed-rows.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { depth } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const P = 3;
const wave = (shape: readonly number[], phase: number): Tensor<'float32'> =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => 0.5 * Math.sin(i * 0.37 + phase)),
  );

const steps = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  kind: fc.constantFrom('none', 'softPrompt', 'prefix'),
  dtype: fc.constantFrom(...wireDTypeNames),
  wanted: fc.array(fc.boolean(), { minLength: 39, maxLength: 39 }),
  all: fc.boolean(),
});

describe('rows without padding', () => {
  let running: TestGateway;
  let calls: SplitCalls;
  let metadata: Metadata;
  let count = 0;
  before(async () => {
    const { backboneDir } = await packedFixture('gpt2-tiny');
    running = await startTestGateway({ backboneDir, start: { maxTokens: 64 } });
    calls = splitCalls(running.connect());
    metadata = bearer(await running.token());
  });
  after(() => running.close());

  const parts = (answer: Tensor__Output | null) => answer && { ...answer, shape: undefined };

  it('give the same rows and cotangents, whatever is wanted, in every element type', async () => {
    const { dims } = running.gateway.engine.artifact.manifest;
    const d = dims.hiddenSize;
    const step = async ({ lengths, kind, dtype, wanted, all }: typeof steps extends fc.Arbitrary<infer T> ? T : never) => {
      const [batch, sequence] = [lengths.length, Math.max(...lengths)];
      const hidden = wave([batch, sequence, d], count);
      const lead = kind === 'softPrompt' ? P : 0;
      const layout = { lead, from: packedStarts(lengths), to: paddedStarts(batch, sequence) };
      const real = Array.from({ length: lead + layout.from.at(-1)! }, (_, row) => row);
      const some = all ? real : real.filter((row) => row === real.length - 1 || wanted[row]);
      const run = async (hiddenStates: Tensor<'float32'>, positions: readonly number[]) => {
        const request: ForwardRequest = {
          stepId: `step-${count++}`,
          backboneDigest: running.gateway.backboneDigest,
          hiddenStates: encodeTensor(hiddenStates, dtype),
          lengths: [...lengths],
          positions: [...positions],
          training: true,
          ...(kind === 'softPrompt' && { softPrompt: encodeTensor(wave([P, d], 1), dtype) }),
          ...(kind === 'prefix' && {
            prefix: encodeTensor(wave([dims.numLayers, 2, P, dims.numKvHeads, dims.headDim], 1), dtype),
          }),
        };
        const forward = await calls.forward(request, metadata);
        const cotangent = encodeTensor(wave([some.length, d], 2), dtype);
        const backward = await calls.backward(
          { stepId: request.stepId!, cotangent, wantHiddenStates: true, responseDtype: 'DTYPE_F32' },
          metadata,
        );
        return { forward: forward.hiddenStates, adapter: backward.adapterCotangent, hidden: backward.hiddenStatesCotangent };
      };
      const sequences = { lengths, sequence };
      const withPadding = await run(hidden, [...renumbered(some, layout)]);
      // Without positions all rows are wanted.
      const packed = await run(packRows(hidden, sequences), all ? [] : some);
      assert.deepEqual(parts(packed.forward), parts(withPadding.forward));
      assert.deepEqual(packed.adapter, withPadding.adapter);
      assert.deepEqual(packed.hidden!.shape, [layout.from.at(-1), d]);
      const values = f32([batch, sequence, d], new Float32Array(Uint8Array.from(withPadding.hidden!.data).buffer));
      assert.deepEqual(packed.hidden!.data, encodeTensor(packRows(values, sequences), 'f32').data);
    };
    await fc.assert(fc.asyncProperty(steps, step), { seed: 20261130, numRuns: depth(200, 12) });
  });

  it('count as they were sent: real rows alone', async () => {
    const d = running.gateway.engine.artifact.manifest.dims.hiddenSize;
    const other = { tenant: 'metered', scopes: ['train', 'admin'] as const };
    const as = bearer(await running.token({ ...other, scopes: [...other.scopes] }));
    const request = { backboneDigest: running.gateway.backboneDigest, lengths: [2, 5], training: true };
    const softPrompt = encodeTensor(wave([P, d], 1), 'f32');
    const rows = encodeTensor(wave([7, d], 5), 'f32');
    await calls.forward({ ...request, stepId: 'metered', hiddenStates: rows, softPrompt }, as);
    await calls.backward({ stepId: 'metered', cotangent: encodeTensor(wave([P + 7, d], 2), 'f32'), wantHiddenStates: true }, as);
    const response = await fetch(`http://${running.gateway.admin}/v1/usage`, {
      headers: { accept: 'application/json', authorization: `Bearer ${await running.token({ tenant: 'metered' })}` },
    });
    const { forward, backward, bytesIn, bytesOut } = ((await response.json()) as { rows: Record<string, number>[] }).rows[0]!;
    const bytes = 4 * d;
    assert.deepEqual([forward, backward, bytesIn, bytesOut], [P + 7, P + 7, 2 * (P + 7) * bytes, (P + 7 + P + 7) * bytes]);
  });
});
