/** What a decoder gives is what the whole-sequence graph gives, in every family. */
import assert from 'node:assert/strict';
import { decodeRows } from '../../../src/compiler/graphs/decode-graph.js';
import { describeModel } from '../../../src/compiler/models/registry.js';
import type { Lane } from '../../../src/gateway/decode/decoder.js';
import type { Tensor } from '../../../src/tensor/tensor.js';
import { fixtureConfig } from '../../support/checkpoint-variant.js';
import { appendInTurns, type DecodeRig, decodeRig, rowsOf, stacked } from '../../support/decode-rig.js';
import { depth } from '../../support/exhaustive.js';
import { type Adapter, maxRelativeError, PackedModel } from '../../support/packed-model.js';
import { seeded, uniform } from '../../support/random.js';

/** Absolute error over the largest value. Float32 sums of other order; measured: 0 to 5e-7. */
const TOLERANCE = 1e-5;

type Case = readonly [fixture: string, bottom: number, top: number];

/** Learned positions between blocks of a client; caps with windows; a rope that switches. */
const sample: readonly Case[] = [
  ['gpt2-tiny', 1, 1],
  ['gemma2-tiny', 0, 0],
  ['phi3-longrope-tiny', 0, 0],
];
const fixtures = [
  ...['gpt2-tiny', 'llama-tiny', 'llama3-tiny', 'llama-linear-tiny', 'llama-dynamic-tiny', 'llama-yarn-tiny', 'mistral-tiny'],
  ...['mistral-nowindow-tiny', 'qwen2-tiny', 'qwen2-yarn-tiny', 'qwen3-tiny', 'gemma-tiny', 'gemma2-tiny', 'gemma3_text-tiny'],
  ...['phi3-tiny', 'phi3-partial-tiny', 'phi3-longrope-tiny', 'olmo2-tiny', 'granite-tiny'],
];
/** Of two blocks. */
const shallow = ['gemma3', 'mistral3', 'qwen2_5_vl', 'qwen3_vl'].map((name) => `multimodal/${name}`);
const all: readonly Case[] = [
  ...fixtures.flatMap((fixture): Case[] => [[fixture, 0, 0], [fixture, 1, 1]]), // biome-ignore format: two cuts
  ...shallow.flatMap((fixture): Case[] => [[fixture, 0, 0], [fixture, 1, 0]]), // biome-ignore format: two cuts
];

/**
 * The longest spans, up to 40 rows: beyond every window of the fixtures, and to a rope's switch.
 */
const ROWS = 40;
const PROMPT = 3;

/** A chunk, two tokens, a chunk, then a draft of three rows of which one is taken. */
async function decoded({ decoder }: DecodeRig, lane: Lane, rows: Tensor<'float32'>, from: number): Promise<Tensor<'float32'>> {
  const count = rows.shape[0]!;
  const draft = Math.max(count - 3, 1);
  const chunks = [2, 3, 4].filter((end) => end < draft);
  const before = await appendInTurns(decoder, lane, rows, [...chunks, draft], from);
  if (draft >= count) return before;
  await decoder.append([{ lane, from: from + draft, rows: rowsOf(rows, draft, count) }]);
  const taken = await decoder.append([{ lane, from: from + draft, rows: rowsOf(rows, draft, draft + 1) }]);
  const rest = draft + 1 < count ? await decoder.append([{ lane, from: from + draft + 1, rows: rowsOf(rows, draft + 1, count) }]) : [];
  return stacked(before, ...taken, ...rest);
}

describe('decoder: exactness', () => {
  for (const [fixture, bottom, top] of depth(all, sample)) {
    it(`gives chunks, tokens and drafts the rows of whole sequences: ${fixture}, cut (${bottom}, ${top})`, async () => {
      const rig = await decodeRig(await PackedModel.fixture(fixture, bottom, top));
      try {
        const { numLayers, numKvHeads, headDim } = rig.model.backbone.manifest.dims;
        const { maxRows, longRows } = rig.decoder;
        const random = seeded(5);
        const adapters: readonly Adapter[] = [
          { kind: 'none' },
          { kind: 'softPrompt', value: uniform('float32', [PROMPT, rig.hiddenSize], random) },
          { kind: 'prefix', value: uniform('float32', [numLayers, 2, PROMPT, numKvHeads, headDim], random) },
        ];
        const spans = [{ most: maxRows, longRope: false }, ...(longRows === 0 ? [] : [{ most: longRows, longRope: true }])];
        for (const [adapter, { most, longRope }] of adapters.flatMap((adapter) => spans.map((span) => [adapter, span] as const))) {
          const virtual = adapter.kind === 'none' ? 0 : PROMPT;
          const text = rig.rows(Math.min(ROWS, most) - virtual, 9);
          const lane = await rig.decoder.allocate(most, { longRope });
          if (adapter.kind === 'prefix') await rig.decoder.writePrefix(lane, adapter.value!);
          const rows = adapter.kind === 'softPrompt' ? stacked(adapter.value!, text) : text;
          const actual = await decoded(rig, lane, rows, adapter.kind === 'prefix' ? PROMPT : 0);
          const error = maxRelativeError(actual, await rig.whole(text, adapter));
          assert.ok(error <= TOLERANCE, `${adapter.kind}, ${longRope ? 'long' : 'short'}: ${error}`);
          await rig.decoder.release(lane);
        }
      } finally {
        await rig.close();
      }
    });
  }

  it('ends where a rope begins to depend on the length, and goes on where it then stays', () => {
    const rows = (fixture: string) => decodeRows(specOf(fixture));
    assert.deepEqual(rows('phi3-longrope-tiny'), { short: 8, long: 64 });
    assert.deepEqual(rows('llama-dynamic-tiny'), { short: 8 });
    assert.deepEqual(rows('llama-yarn-tiny'), { short: 64 });
    const spec = specOf('phi3-longrope-tiny');
    const { position } = spec;
    assert.ok(position.kind === 'rope' && position.rope.scaling === 'longrope');
    const windowRope = { ...position.rope, originalMaxPositions: 16 };
    assert.deepEqual(decodeRows({ ...spec, position: { ...position, windowRope } }), { short: 8, long: 16 }, 'to the second switch');
    assert.deepEqual(decodeRows({ ...spec, maxPositions: 8 }), { short: 8 });
  });

  for (const [fixture, stays] of [['phi3-longrope-tiny', true], ['llama-dynamic-tiny', false]] as const) // biome-ignore format: one fixture a pair
    it(`${stays ? 'keeps' : 'changes'} the earlier rows of a whole sequence that grows by one row beyond the switch: ${fixture}`, async () => {
      const rig = await decodeRig(await PackedModel.fixture(fixture, 0, 0));
      try {
        const text = rig.rows(13, 9);
        const change = async (from: number) =>
          maxRelativeError(rowsOf(await rig.whole(rowsOf(text, 0, from + 1)), 0, from), await rig.whole(rowsOf(text, 0, from)));
        assert.ok((await change(7)) <= TOLERANCE, 'up to it');
        assert.ok((await change(8)) > 1e-3, 'at it');
        assert.equal((await change(12)) <= TOLERANCE, stays, 'beyond it');
      } finally {
        await rig.close();
      }
    });
});

const specOf = (fixture: string) => describeModel(JSON.stringify(fixtureConfig(fixture))).spec;
