/** Text that all sequences of a batch begin with: what is taken out, and that every family computes the same without it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Batch, lastRows } from '../../../clients/typescript/data/batch.js';
import { savedRows, shareText } from '../../../clients/typescript/data/shared-text.js';
import { ClientBundle, type Connection, connect, lossRows, makeBatch, RemoteModel, SplitModel } from '../../../clients/typescript/index.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const example = (ids: readonly number[]) => ({ tokenIds: Int32Array.from(ids), labelMask: Uint8Array.from(ids, (id) => id % 2) });
const tokens = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 24 });
const batches = fc.tuple(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 20 }), fc.array(tokens, { minLength: 1, maxLength: 5 }));

describe('shared text', () => {
  it('leaves every token where it was, and predicts each by the row before it', () => {
    fc.assert(
      fc.property(batches, fc.nat(30), fc.nat(3), ([lead, rests], most, promptRows) => {
        const sequences = rests.map((rest) => [...lead, ...rest]);
        const whole = makeBatch(sequences.map(example));
        const batch = shareText(whole, most);
        const shared = Array.from(batch.shared?.data ?? [], Number);
        assert.ok(shared.length <= most && (shared.length === 0 || Math.min(...batch.lengths) >= 8));
        const own = batch.tokenIds.shape[1]!;
        const of = (b: number) => Array.from(batch.tokenIds.data.subarray(b * own, b * own + batch.lengths[b]!), Number);
        assert.deepEqual(sequences.map((_, b) => [...shared, ...of(b)]), sequences); // biome-ignore format: one line
        // The place of each wanted row in its sequence, prompt rows included.
        const placesIn = ({ shared: taken, tokenIds }: Batch, positions: readonly number[]) => {
          const led = promptRows + (taken?.shape[1] ?? 0);
          return positions.map((row) => (row < led ? row : led + ((row - led) % tokenIds.shape[1]!)));
        };
        const [loss, wanted] = [lossRows(batch, promptRows), lossRows(whole, promptRows)];
        assert.deepEqual([loss.labels, loss.sequenceOfTarget], [wanted.labels, wanted.sequenceOfTarget]);
        const [found, expected] = [placesIn(batch, loss.positions), placesIn(whole, wanted.positions)];
        assert.deepEqual(Array.from(loss.rowOfTarget, (row) => found[row]), Array.from(wanted.rowOfTarget, (row) => expected[row])); // biome-ignore format: one line
        const last = (of: Batch) => placesIn(of, lastRows(of, promptRows).positions);
        assert.deepEqual(last(batch), last(whole));
        assert.equal(savedRows(batch), shared.length * (sequences.length - 1));
      }),
      { seed: 20261130 },
    );
  });

  it('is left in one sequence, in short ones, and where it saves next to nothing', () => {
    const lead = Array.from({ length: 40 }, (_, i) => i);
    const rest = Array.from({ length: 8 }, (_, i) => 100 + i);
    const shared = (...sequences: (readonly number[])[]) => shareText(makeBatch(sequences.map(example)), 100).shared?.shape[1];
    assert.equal(shared([...lead, ...rest]), undefined);
    assert.equal(shared([...lead, ...rest], [...lead, 99, ...rest]), 40);
    assert.equal(shared([...lead, ...rest], lead), 32);
    assert.equal(shared([1, ...lead], [1, 7, ...lead]), undefined);
    assert.equal(shared(rest, rest), undefined);
  });

  const families = [
    ...['gemma2-tiny', 'llama-tiny', 'llama3-tiny', 'llama-linear-tiny', 'llama-dynamic-tiny', 'llama-yarn-tiny', 'mistral-tiny'],
    ...['mistral-nowindow-tiny', 'qwen2-tiny', 'qwen2-yarn-tiny', 'qwen3-tiny', 'gemma-tiny', 'gpt2-tiny', 'gemma3_text-tiny'],
    ...['phi3-tiny', 'phi3-partial-tiny', 'phi3-longrope-tiny', 'olmo2-tiny', 'granite-tiny'],
  ];
  // A window of 4, a cap on scores and embeddings that are scaled; the longrope's switch.
  for (const fixture of every(16, families)) {
    describe(`in ${fixture}`, () => {
      let gateway: TestGateway;
      let bundle: ClientBundle;
      let connections: readonly Connection[];
      before(async () => {
        const { backboneDir, bundleDir } = await packedFixture(fixture);
        gateway = await startTestGateway({ backboneDir });
        bundle = await ClientBundle.open(bundleDir, { threads: 1 });
        const reach = { address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() };
        connections = [await connect(reach), await connect({ ...reach, shareText: false })];
      });
      after(async () => {
        for (const connection of connections ?? []) connection.close();
        await bundle?.close();
        await gateway?.close();
      });

      it('changes neither loss nor cotangent nor logits', async () => {
        const { maxPositions } = connections[0]!.card.dims;
        const lead = [5, 9, 0, 7, 3, 5, 1, 2, 9, 4, 6, 8];
        const rests = [
          [1, 0, 9, 2, 4, 3, 5, 6, 7],
          [9, 9, 2, 5, 0, 3, 6, 8, 1, 4, 4, 7],
        ];
        const common = lead.slice(0, Math.min(lead.length, maxPositions - 3 - 8));
        const batch = makeBatch(rests.map((rest) => example([...common, ...rest].slice(0, maxPositions - 3))));
        const d = bundle.dims.hiddenSize;
        const softPrompt = f32(
          [3, d],
          Float32Array.from({ length: 3 * d }, (_, i) => 0.3 * Math.sin(1 + i * 1.7)),
        );
        const run = async (connection: Connection) => {
          const model = new SplitModel(bundle, new RemoteModel(connection));
          const { lossSum, cotangents } = await model.gradient(batch, { softPrompt });
          const { data } = await model.nextLogits(batch, { softPrompt });
          const bare = await model.evaluate(batch);
          return { values: [lossSum, bare.lossSum], cotangent: cotangents.softPrompt!.data, data, sent: connection.counters.bytesUp };
        };
        const [once, apart] = [await run(connections[0]!), await run(connections[1]!)];
        const close = (found: ArrayLike<number>, wanted: ArrayLike<number>) => {
          const largest = Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          for (const [i, value] of Array.from(wanted).entries())
            assert.ok(Math.abs(value - found[i]!) < 1e-5 * largest, `${found[i]}, not ${value}`);
        };
        close(once.values, apart.values);
        close(once.cotangent, apart.cotangent);
        close(once.data, apart.data);
        assert.ok(once.sent < 0.9 * apart.sent, `${once.sent} of ${apart.sent} bytes`);
      });
    });
  }
});
