/**
 * What must not matter: padding, the other sequences of a batch, which rows are asked for. One fixture of each kind of attention.
 *
 * Two rope types look at the padded length of the batch, virtual tokens included, as in transformers: dynamic grows its base with it, longrope changes its
 * frequencies where it passes the original context. For them, what holds is held at one length: a sequence padded to the width of the batch gives what the
 * batch gives, and whatever stands in the padding is inert.
 */
import assert from 'node:assert/strict';
import { type SpanKind, spanKinds } from '../../src/artifacts/manifest.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { exhaustive } from '../support/exhaustive.js';
import { type Adapter, maxRelativeError, PackedModel, readReference, takeRows } from '../support/packed-model.js';

const TOLERANCE = 2e-6;
/** Which keys a part of the queries sums over follows the width of the batch: seen up to 2.4e-6. */
const WINDOWED_TOLERANCE = 5e-6;
const LENGTHS = [9, 5, 2];

interface Row {
  readonly fixture: string;
  /** Blocks have a window, and so attend in parts that leave out keys. */
  readonly windowed?: true;
  /** Rope changes with every length, or on the two sides of the original context, which all widths of this file but a short sequence's own are beyond. */
  readonly byLength?: 'always' | 'aroundContext';
}

const rows: readonly Row[] = [
  { fixture: 'gpt2-tiny' },
  { fixture: 'llama-tiny' },
  { fixture: 'mistral-tiny', windowed: true },
  { fixture: 'qwen2-tiny', windowed: true },
  { fixture: 'qwen3-tiny' },
  { fixture: 'phi3-tiny', windowed: true },
  { fixture: 'gemma2-tiny', windowed: true },
  { fixture: 'gemma3_text-tiny', windowed: true },
  { fixture: 'olmo2-tiny' },
  { fixture: 'llama-dynamic-tiny', byLength: 'always' },
  { fixture: 'phi3-longrope-tiny', byLength: 'aroundContext' },
];

/** One of each way to see a position and a window; the exhaustive run has all. */
const sampled = ['gpt2-tiny', 'gemma2-tiny', 'phi3-longrope-tiny'];

for (const { fixture, windowed, byLength } of rows.filter((row) => exhaustive || sampled.includes(row.fixture))) {
  describe(`invariance: ${fixture} cut at bottom 1, top 1`, () => {
    const tolerance = windowed ? WINDOWED_TOLERANCE : TOLERANCE;
    let model: PackedModel;
    let reference: (key: string) => Tensor<'float32'>;
    let embeds: Tensor<'float32'>;
    const adapterOf = (kind: SpanKind): Adapter => (kind === 'none' ? { kind } : { kind, value: reference(kind) });
    const promptRowsOf = (kind: SpanKind): number => (kind === 'softPrompt' ? reference(kind).shape[0]! : 0);

    before(async () => {
      model = await PackedModel.fixture(fixture, 1, 1);
      reference = await readReference(fixture);
      embeds = reference('inputsEmbeds');
    });
    after(() => model.close());

    /** Forward and backward of real rows, the cotangents a fixed function of (sequence, token). */
    async function step(kind: SpanKind, sequences: readonly number[], width: number, padding: number) {
      const d = embeds.shape[2]!;
      const batch = new Float32Array(sequences.length * width * d).fill(padding);
      sequences.forEach((sequence, b) => {
        const real = embeds.data.subarray(sequence * embeds.shape[1]! * d, (sequence * embeds.shape[1]! + LENGTHS[sequence]!) * d);
        batch.set(real, b * width * d);
      });
      const promptRows = promptRowsOf(kind);
      const tokens = sequences.flatMap((sequence, b) => Array.from({ length: LENGTHS[sequence]! }, (_, t) => ({ sequence, b, t })));
      const positions = tokens.map(({ b, t }) => promptRows + b * width + t);
      const forward = await model.forward(f32([sequences.length, width, d], batch), adapterOf(kind), positions);
      const cotangent = Float32Array.from(
        tokens.flatMap(({ sequence, t }) => Array.from({ length: d }, (_, i) => Math.sin(7 * sequence + 3 * t + i))),
      );
      const { inputsEmbeds, adapter } = await forward.backward(f32([tokens.length, d], cotangent));
      const textRows = positions.map((position) => position - promptRows);
      return {
        rows: forward.rows as Tensor<'float32'>,
        inputs: takeRows(f32([sequences.length * width, d], inputsEmbeds.data), textRows),
        adapter,
      };
    }

    it('one virtual token before one token: a soft prompt gives what the same vectors give as first tokens', async () => {
      const d = embeds.shape[2]!;
      for (const [P, S] of [
        [1, 1],
        [3, 1],
        [1, 4],
      ] as const) {
        const prompt = takeRows(reference('softPrompt'), [...Array(P).keys()]);
        const text = embeds.data.slice(0, S * d);
        const asText = f32([1, P + S, d], [...prompt.data, ...text]);
        const every = [...Array(P + S).keys()];
        const cotangent = f32(
          [P + S, d],
          Float32Array.from({ length: (P + S) * d }, (_, i) => Math.cos(i)),
        );
        const adapted = await model.forward(f32([1, S, d], text), { kind: 'softPrompt', value: prompt }, every);
        const plain = await model.forward(asText, { kind: 'none' }, every);
        assert.ok(maxRelativeError(adapted.rows, plain.rows) < tolerance);
        const [ofAdapted, ofPlain] = [await adapted.backward(cotangent), await plain.backward(cotangent)];
        const joined = f32([1, P + S, d], [...ofAdapted.adapter!.data, ...ofAdapted.inputsEmbeds.data]);
        assert.ok(maxRelativeError(joined, ofPlain.inputsEmbeds) < tolerance);
      }
    });

    if (byLength !== undefined) {
      it('a width beyond the original context turns queries and keys otherwise than one within it, as in transformers', async () => {
        const [within, beyond] = [await step('none', [1], 5, 0), await step('none', [1], 9, 0)];
        assert.ok(maxRelativeError(beyond.rows, within.rows) > 1e-3);
      });
    }

    for (const kind of spanKinds) {
      it(`${kind}: rows that are not asked for change nothing, and one row may be asked for alone`, async () => {
        const promptRows = promptRowsOf(kind);
        const all = [...Array(promptRows + 27).keys()];
        const whole = await model.forward(embeds, adapterOf(kind), all);
        const one = await model.forward(embeds, adapterOf(kind), [promptRows + 10]);
        assert.ok(maxRelativeError(one.rows, takeRows(whole.rows as Tensor<'float32'>, [promptRows + 10])) < tolerance);
        const d = embeds.shape[2]!;
        const single = f32(
          [1, d],
          Float32Array.from({ length: d }, (_, i) => Math.cos(i)),
        );
        const spread = f32([all.length, d], new Float32Array(all.length * d));
        spread.data.set(single.data, (promptRows + 10) * d);
        const [ofOne, ofWhole] = [await one.backward(single), await whole.backward(spread)];
        assert.ok(maxRelativeError(ofOne.inputsEmbeds, ofWhole.inputsEmbeds) < tolerance);
        if (kind !== 'none') assert.ok(maxRelativeError(ofOne.adapter!, ofWhole.adapter!) < tolerance);
      });

      it(`${kind}: what stands in padded rows${byLength === 'always' ? '' : ', and how many there are,'} changes nothing`, async () => {
        const [plain, padded] = [await step(kind, [0, 1, 2], 9, 0), await step(kind, [0, 1, 2], byLength === 'always' ? 9 : 13, 5)];
        assert.ok(maxRelativeError(padded.rows, plain.rows) < tolerance);
        assert.ok(maxRelativeError(padded.inputs, plain.inputs) < tolerance);
        if (plain.adapter !== undefined) assert.ok(maxRelativeError(padded.adapter!, plain.adapter) < tolerance);
      });

      const alike = byLength === undefined ? 'alone' : 'alone at the width of the batch';
      it(`${kind}: a batch gives each sequence what it gets ${alike}, and adds up the adapter's cotangents`, async () => {
        const batched = await step(kind, [0, 1, 2], 9, 0);
        let first = 0;
        const sum = batched.adapter?.data.map(() => 0);
        for (const sequence of [0, 1, 2]) {
          const alone = await step(kind, [sequence], byLength === undefined ? LENGTHS[sequence]! : 9, 0);
          const rows = Array.from({ length: LENGTHS[sequence]! }, (_, t) => first + t);
          assert.ok(maxRelativeError(takeRows(batched.rows, rows), alone.rows) < tolerance);
          assert.ok(maxRelativeError(takeRows(batched.inputs, rows), alone.inputs) < tolerance);
          alone.adapter?.data.forEach((value, i) => {
            sum![i]! += value;
          });
          first += LENGTHS[sequence]!;
        }
        if (batched.adapter !== undefined) assert.ok(maxRelativeError(batched.adapter, f32(batched.adapter.shape, sum!)) < tolerance);
      });

      it(`${kind}: a later token changes no earlier row`, async () => {
        const whole = await step(kind, [0], 9, 0);
        const changed = embeds.data.slice();
        embeds = f32(embeds.shape, changed);
        changed.fill(1.5, 6 * embeds.shape[2]!, 9 * embeds.shape[2]!);
        const after = await step(kind, [0], 9, 0);
        embeds = reference('inputsEmbeds');
        const early = [0, 1, 2, 3, 4, 5];
        assert.deepEqual(takeRows(after.rows, early).data, takeRows(whole.rows, early).data);
        assert.ok(maxRelativeError(takeRows(after.rows, [6]), takeRows(whole.rows, [6])) > 1e-3);
      });
    }
  });
}
