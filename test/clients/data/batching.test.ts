/** Properties of data order, padding and loss rows. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { epochBatches, evaluationBatches, lossRows, makeBatch } from '../../../clients/typescript/index.js';
import { rowLosses } from '../../../clients/typescript/model/row-losses.js';
import { f32 } from '../../../src/tensor/tensor.js';

const seed = 20240607;
const lengthsArbitrary = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 200 });
const limits = fc.record({ batchSize: fc.integer({ min: 1, max: 9 }), maxTokensPerBatch: fc.integer({ min: 60, max: 300 }) });

describe('the order of an epoch', () => {
  it('holds every example exactly once, within the limits', () => {
    fc.assert(
      fc.property(lengthsArbitrary, limits, fc.nat(), fc.nat(5), (lengths, limit, orderSeed, epoch) => {
        const batches = epochBatches(lengths, epoch, { ...limit, seed: orderSeed, shuffle: true });
        assert.deepEqual(
          batches.flat().sort((a, b) => a - b),
          [...lengths.keys()],
        );
        for (const batch of [...batches, ...evaluationBatches(lengths, limit)]) {
          assert.ok(batch.length >= 1 && batch.length <= limit.batchSize);
          assert.ok(batch.length * Math.max(...batch.map((index) => lengths[index]!)) <= limit.maxTokensPerBatch);
        }
      }),
      { seed },
    );
  });

  it('depends on nothing but seed and epoch', () => {
    const lengths = Array.from({ length: 100 }, (_, i) => 1 + ((i * 7) % 23));
    const order = (orderSeed: number, epoch: number) =>
      epochBatches(lengths, epoch, { batchSize: 4, maxTokensPerBatch: 1000, seed: orderSeed, shuffle: true });
    assert.deepEqual(order(3, 1), order(3, 1));
    assert.notDeepEqual(order(3, 1), order(3, 2));
    assert.notDeepEqual(order(3, 1), order(4, 1));
  });

  it("keeps the file's order when it is not to shuffle", () => {
    const batches = epochBatches([5, 1, 3], 0, { batchSize: 2, maxTokensPerBatch: 100, seed: 1, shuffle: false });
    assert.deepEqual(batches, [[0, 1], [2]]);
  });

  it('pads less than a third of what the plain order would on unequal lengths', () => {
    const lengths = Array.from({ length: 512 }, (_, i) => 1 + ((i * 37) % 97));
    const padding = (batches: readonly (readonly number[])[]) =>
      batches.reduce((sum, batch) => {
        const longest = Math.max(...batch.map((index) => lengths[index]!));
        return sum + batch.reduce((rows, index) => rows + longest - lengths[index]!, 0);
      }, 0);
    const settings = { batchSize: 8, maxTokensPerBatch: 10_000, seed: 5 };
    const bucketed = padding(epochBatches(lengths, 0, { ...settings, shuffle: true }));
    assert.ok(bucketed * 3 < padding(epochBatches(lengths, 0, { ...settings, shuffle: false })));
  });

  it('refuses an example that no batch can hold', () => {
    assert.throws(() => epochBatches([3, 99], 0, { batchSize: 2, maxTokensPerBatch: 50, seed: 0, shuffle: true }), {
      code: 'INVALID_DATA',
      message: /example 2: 99 tokens/,
    });
  });
});

const exampleArbitrary = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), { minLength: 1, maxLength: 12 })
  .map((tokens) => ({
    tokenIds: Int32Array.from(tokens, ([id]) => id),
    labelMask: Uint8Array.from(tokens, ([, labelled]) => (labelled ? 1 : 0)),
  }));

describe('loss rows', () => {
  it('predict each label from the row before it, the first from the last prompt row, sent once', () => {
    fc.assert(
      fc.property(fc.array(exampleArbitrary, { minLength: 1, maxLength: 6 }), fc.nat(4), (examples, promptRows) => {
        const batch = makeBatch(examples);
        const sequence = batch.tokenIds.shape[1]!;
        const rows = lossRows(batch, promptRows);
        assert.ok(
          rows.positions.every((row, i) => i === 0 || row > rows.positions[i - 1]!),
          'strictly increasing',
        );
        const wanted = examples.flatMap(({ tokenIds, labelMask }, b) =>
          [...tokenIds].flatMap((label, s) => {
            if (labelMask[s] !== 1 || (s === 0 && promptRows === 0)) return [];
            return [{ row: s === 0 ? promptRows - 1 : promptRows + b * sequence + s - 1, label, sequence: b }];
          }),
        );
        const made = [...rows.labels].map((label, target) => ({
          row: rows.positions[rows.rowOfTarget[target]!]!,
          label: Number(label),
          sequence: rows.sequenceOfTarget[target]!,
        }));
        assert.deepEqual(made, wanted);
        // No row is asked for that nothing needs.
        assert.deepEqual(
          rows.positions,
          [...new Set(wanted.map(({ row }) => row))].sort((a, b) => a - b),
        );
      }),
      { seed },
    );
  });

  it('never name a padded row', () => {
    const rows = lossRows(
      makeBatch([
        { tokenIds: Int32Array.of(7, 8, 9, 10), labelMask: Uint8Array.of(0, 1, 1, 1) },
        { tokenIds: Int32Array.of(7, 8), labelMask: Uint8Array.of(0, 1) },
      ]),
      2,
    );
    assert.deepEqual(rows.positions, [2, 3, 4, 6]);
  });

  it('are refused for an empty batch or example', () => {
    assert.throws(() => makeBatch([]), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => makeBatch([{ tokenIds: new Int32Array(), labelMask: new Uint8Array() }]), { code: 'INVALID_ARGUMENT' });
  });
});

describe('the loss in chunks', () => {
  // A loss whose value and cotangent are known: nll = sum of the row times the label, its cotangent the label in every element.
  const graph = {
    async losses(rows: { readonly shape: readonly number[]; readonly data: Float32Array }, labels: BigInt64Array) {
      const d = rows.shape[1]!;
      const nll = Float32Array.from(
        labels,
        (label, i) => Number(label) * rows.data.subarray(i * d, (i + 1) * d).reduce((a, b) => a + b, 0),
      );
      const cotangent = Float32Array.from({ length: labels.length * d }, (_, i) => Number(labels[Math.floor(i / d)]!));
      return { nll, correct: new Float32Array(labels.length), cotangent };
    },
  };

  it('is the same for every chunk size, and sums the cotangents of a row that predicts several labels', async () => {
    const rows = f32([3, 2], [1, 2, 3, 4, 5, 6]);
    const targets = { rowOfTarget: Int32Array.of(0, 0, 2, 1, 0), labels: BigInt64Array.of(1n, 2n, 3n, 4n, 5n) };
    for (const chunkRows of [1, 2, 3, 100]) {
      const { nll, cotangent } = await rowLosses(graph, rows, targets, { chunkRows, wantCotangent: true });
      assert.deepEqual([...nll], [3, 6, 33, 28, 15]);
      assert.deepEqual([...cotangent!.data], [8, 8, 4, 4, 3, 3]);
    }
  });
});
