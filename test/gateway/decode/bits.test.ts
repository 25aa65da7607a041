/** The bits of a row depend on its lane's content alone. */
import assert from 'node:assert/strict';
import { pack } from '../../../src/compiler/pack/pack.js';
import type { Decoder } from '../../../src/gateway/decode/decoder.js';
import { DecodeSessions } from '../../../src/gateway/decode/sessions.js';
import type { AdapterInput } from '../../../src/gateway/engine/step-inputs.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { withVariant } from '../../support/checkpoint-variant.js';
import { appendInTurns, type DecodeRig, decodeRig, rowsOf, stacked } from '../../support/decode-rig.js';
import { depth, thorough } from '../../support/exhaustive.js';
import { packedOnce } from '../../support/packed-fixture.js';
import { PackedModel } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';

function assertSameBits(actual: Tensor<'float32'>, expected: Tensor<'float32'>, what: string): void {
  assert.deepEqual(actual.shape, expected.shape);
  const [a, b] = [actual, expected].map(({ data }) => new Uint32Array(data.buffer, data.byteOffset, data.length)) as [
    Uint32Array,
    Uint32Array,
  ];
  const differing = a.reduce((count, bits, at) => count + (bits === b[at] ? 0 : 1), 0);
  assert.equal(differing, 0, `${what}: ${differing} of ${a.length} values differ`);
}

/** A span alone in a lane: one call. */
async function alone(decoder: Decoder, rows: Tensor<'float32'>): Promise<Tensor<'float32'>> {
  const lane = await decoder.allocate(rows.shape[0]!);
  const [output] = await decoder.append([{ lane, from: 0, rows }]);
  await decoder.release(lane);
  return output!;
}

/**
 * A Llama wide enough that products have several blocks and several threads, and with positions for
 * a long past. Heads of 160 values are more than a product sums at once.
 */
async function wideModel(numKvHeads: number): Promise<PackedModel> {
  const [hiddenSize, inner, headDim, numHeads] = [320, 640, 160, 2];
  const random = seeded(3);
  const weight = (...shape: readonly number[]): Tensor<'float32'> => uniform('float32', shape, random, -0.1, 0.1);
  const shapes: Readonly<Record<string, readonly number[]>> = {
    embed_tokens: [96, hiddenSize],
    lm_head: [96, hiddenSize],
    norm: [hiddenSize],
    input_layernorm: [hiddenSize],
    post_attention_layernorm: [hiddenSize],
    q_proj: [numHeads * headDim, hiddenSize],
    k_proj: [numKvHeads * headDim, hiddenSize],
    v_proj: [numKvHeads * headDim, hiddenSize],
    o_proj: [hiddenSize, numHeads * headDim],
    gate_proj: [inner, hiddenSize],
    up_proj: [inner, hiddenSize],
    down_proj: [hiddenSize, inner],
  };
  const sizes = {
    vocab_size: 96,
    hidden_size: hiddenSize,
    intermediate_size: inner,
    head_dim: headDim,
    num_attention_heads: numHeads,
    num_hidden_layers: 1,
  };
  return PackedModel.shared(
    await packedOnce(`packed-wide-llama-${numKvHeads}`, (outDir) =>
      withVariant(
        'llama-tiny',
        {
          config: { ...sizes, num_key_value_heads: numKvHeads, max_position_embeddings: 8192 },
          tensors: (tensors) => {
            for (const name of Object.keys(tensors)) {
              if (/layers\.[1-9]/.test(name)) delete tensors[name];
              else tensors[name] = weight(...shapes[name.split('.').at(-2)!]!);
            }
          },
        },
        (checkpointDir) => pack({ checkpointDir, outDir, bottom: 0, top: 0 }),
      ),
    ),
  );
}

describe('decoder: bits', () => {
  let rig: DecodeRig;
  before(async () => {
    rig = await decodeRig(await PackedModel.fixture('gpt2-tiny', 0, 0));
  });
  after(() => rig.close());

  it('gives a span the same bits however it is cut into calls', async () => {
    const { decoder } = rig;
    const rows = rig.rows(40, 1);
    const whole = await alone(decoder, rows);
    const lane = await decoder.allocate(40);
    for (const ends of [Array.from({ length: 40 }, (_, at) => at + 1), [7, 8, 20, 23, 24, 40], [39, 40]])
      assertSameBits(await appendInTurns(decoder, lane, rows, ends), whole, ends.join());
  });

  it('gives lanes of a batch the same bits as alone, of other lengths and of more lanes than a run has', async () => {
    const spans = Array.from({ length: 11 }, (_, at) => rig.rows(12 + at, at));
    const expected = await Promise.all(spans.map((rows) => alone(rig.decoder, rows)));
    const lanes = await Promise.all(spans.map(() => rig.decoder.allocate(32)));
    // First chunks of 3 to 13 rows, then tokens together: a lane drops out when its span ends.
    const first = await rig.decoder.append(spans.map((rows, at) => ({ lane: lanes[at]!, from: 0, rows: rowsOf(rows, 0, 3 + at) })));
    for (const [at, output] of first.entries()) assertSameBits(output, rowsOf(expected[at]!, 0, 3 + at), `chunk of lane ${at}`);
    for (let step = 0; step < 9; step++) {
      const outputs = await rig.decoder.append(
        spans.map((rows, at) => ({ lane: lanes[at]!, from: 3 + at + step, rows: rowsOf(rows, 3 + at + step, 4 + at + step) })),
      );
      for (const [at, output] of outputs.entries())
        assertSameBits(output, rowsOf(expected[at]!, 3 + at + step, 4 + at + step), `token ${step} of lane ${at}`);
    }
  });

  it('gives a session whose first rows are copied the same bits as one that computes them', async () => {
    const { decoder, model, rows } = rig;
    const { numLayers, numKvHeads, headDim, hiddenSize } = model.backbone.manifest.dims;
    const adapters: readonly AdapterInput[] = [
      { kind: 'none' },
      { kind: 'softPrompt', value: rows(5, 8) },
      { kind: 'prefix', value: uniform('float32', [numLayers, 2, 5, numKvHeads, headDim], seeded(9)) },
    ];
    const span = rows(40, 3);
    const sessions = new DecodeSessions({
      decoder,
      turns: { turn: ({ work }) => work() },
      bounds: {
        ...{ limitBytes: 2 ** 30, tenantBytes: 2 ** 30, maxPerTenant: 8, idleMs: 60_000, restMs: 60_000 },
        ...{ chunkRows: 16, maxBatch: 8, share: 0, maxMs: 0, cacheBytes: 2 ** 29, blockRows: 8 },
      },
      digest: model.backbone.digest,
      now: () => performance.now(),
    });
    for (const adapter of adapters) {
      const base = adapter.kind === 'none' ? 0 : 5;
      const outputs: Tensor<'float32'>[] = [];
      for (const [n, tenant] of ['a', 'b', 'a'].entries()) {
        const call = { tenant, holder: {} };
        const session = await sessions.open(call, { id: `${adapter.kind}-${n}`, maxRows: 48, adapter });
        const append = (start: number, end: number, positions: readonly number[]) =>
          sessions.append(call, session, { from: base + start, rows: rowsOf(span, start, end), positions });
        // A prompt in two messages, then steps and a draft.
        const parts = [await append(0, 19, [18]), await append(19, 36, [16])];
        for (let at = 36; at < 38; at++) parts.push(await append(at, at + 1, [0]));
        parts.push(await append(38, 40, [0, 1]));
        outputs.push(stacked(...parts));
      }
      const [computed, other, copied] = outputs;
      assert.equal(copied!.shape[1], hiddenSize);
      assertSameBits(other!, computed!, `${adapter.kind}, another tenant`);
      assertSameBits(copied!, computed!, `${adapter.kind}, copied`);
    }
    // The third session of each adapter alone, in both of its messages; a soft prompt has no whole
    // block of its own.
    assert.equal(sessions.stats().decodeCacheHits, 2 * adapters.length);
    assert.ok(sessions.stats().decodeCachedRows >= 24 * adapters.length);
  });

  for (const numKvHeads of [1, 2])
    thorough(`gives a row after 4000 rows the same bits with 16 threads, alone and in a batch, ${numKvHeads} heads of keys`, async () => {
      const wide = await decodeRig(await wideModel(numKvHeads), { threads: 16 });
      try {
        await sameBitsAfter(wide, 4000);
      } finally {
        await wide.close();
      }
    });

  async function sameBitsAfter({ decoder, rows }: DecodeRig, past: number): Promise<void> {
    const draftRows = 44; // into the next block of keys
    const span = rows(past + draftRows, 2);
    const main = await decoder.allocate(past + draftRows);
    await decoder.append([{ lane: main, from: 0, rows: rowsOf(span, 0, past) }]);
    const token = { lane: main, from: past, rows: rowsOf(span, past, past + 1) };
    const [single] = await decoder.append([token]);
    const [again] = await decoder.append([token]);
    assertSameBits(again!, single!, 'twice');
    const [draft] = await decoder.append([{ ...token, rows: rowsOf(span, past, past + draftRows) }]);
    assertSameBits(rowsOf(draft!, 0, 1), single!, 'in a draft');
    const forks = await Promise.all(Array.from({ length: depth(7, 3) }, () => decoder.allocate(past + 1)));
    for (const fork of forks) await decoder.copy(main, fork, past);
    const batch = await decoder.append([token, ...forks.map((lane) => ({ ...token, lane }))]);
    for (const [at, output] of batch.entries()) assertSameBits(output, single!, `in lane ${at} of a batch`);
    // Another cut of the past, and the row as the last of a chunk.
    const other = await decoder.allocate(past + draftRows);
    await appendInTurns(decoder, other, span, [100, 101, past - 5]);
    const [chunk] = await decoder.append([{ lane: other, from: past - 5, rows: rowsOf(span, past - 5, past + 1) }]);
    assertSameBits(rowsOf(chunk!, 5, 6), single!, 'after other chunks');
  }
});
