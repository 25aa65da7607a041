import assert from 'node:assert/strict';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkLosses } from '../../bench/instructions/check-losses.js';
import { readBatches, writeJob } from '../../bench/instructions/job.js';
import { type InstructionSize, instructionBatches, petalsBytes, tokensOf } from '../../bench/instructions/workload.js';
import type { Example } from '../../clients/typescript/index.js';
import { packedFixture } from '../support/packed-fixture.js';

const size: InstructionSize = { batch: 6, instruction: 128, input: [16, 160], completion: [8, 32], virtualTokens: 16 };
const inputOf = ({ promptLength }: Example): number => promptLength - size.instruction;
const completionOf = ({ tokenIds, promptLength }: Example): number => tokenIds.length - promptLength;

describe('the instruction workload', () => {
  it('shares one instruction, and nothing more, among all examples of all batches', () => {
    const examples = instructionBatches(50_257, size, 8).flat();
    assert.equal(examples.length, 48);
    const [first] = examples;
    for (const { tokenIds } of examples) assert.deepEqual(tokenIds.subarray(0, 128), first!.tokenIds.subarray(0, 128));
    assert.equal(new Set(examples.map(({ tokenIds }) => tokenIds.subarray(128, 144).join())).size, 48);
  });

  it('has inputs and completions of all lengths in their ranges, and loss on completions alone', () => {
    const examples = instructionBatches(50, size, 200).flat();
    for (const [lengthOf, [least, most]] of [
      [inputOf, size.input],
      [completionOf, size.completion],
    ] as const) {
      const lengths = examples.map(lengthOf);
      assert.deepEqual([Math.min(...lengths), Math.max(...lengths)], [least, most]);
      assert.equal(new Set(lengths).size, most - least + 1);
    }
    for (const { tokenIds, labelMask, promptLength } of examples) {
      assert.deepEqual(
        [...labelMask],
        [...tokenIds].map((_, token) => (token < promptLength ? 0 : 1)),
      );
      assert.ok(tokenIds.every((id) => id >= 0 && id < 50));
    }
  });

  it('is the same for the same seed, and another for another', () => {
    assert.deepEqual(instructionBatches(1000, size, 2), instructionBatches(1000, size, 2));
    assert.notDeepEqual(instructionBatches(1000, size, 2), instructionBatches(1000, size, 2, 2));
  });

  it('is held against what Petals sends: prompt and padded text of every sequence, five times', () => {
    const batch = [100, 160].map(
      (length): Example => ({ tokenIds: new Int32Array(length), labelMask: new Uint8Array(length), promptLength: 90, source: '' }),
    );
    assert.deepEqual(tokensOf(batch), { real: 260, padded: 320 });
    assert.equal(petalsBytes(batch, 16, 768, 4), 5 * 2 * (16 + 160) * 768 * 4);
  });

  it('reaches both sides through one folder, with the prompt that both start from', async () => {
    const packed = await packedFixture('gpt2-tiny');
    const dir = mkdtempSync(join(tmpdir(), 'cutlayer-job-'));
    const model = { name: 'gpt2-tiny', checkpointDir: '', packedDir: dirname(packed.bundleDir), stateDir: '' };
    const { batches, batchesFile, adapterDir } = await writeJob(dir, model, { ...size, virtualTokens: 3 }, 2);
    const withoutSource = (all: typeof batches) => all.map((batch) => batch.map(({ source: _, ...example }) => example));
    assert.deepEqual(withoutSource(readBatches(batchesFile)), withoutSource(batches));
    assert.ok(existsSync(join(adapterDir, 'adapter_model.safetensors')));
  });

  it('fails when a loss of one side differs, or when a step has none', () => {
    assert.equal(checkLosses([10, 9.5], [10, 9.5]), 0);
    assert.ok(checkLosses([10, 9.50001], [10, 9.5]) > 1e-6);
    assert.throws(() => checkLosses([10, 9.501], [10, 9.5]), /step 2 has 9\.501 against 9\.5; both sides must train the same/);
    assert.throws(() => checkLosses([10, Number.NaN], [10, 9.5]), /step 2/);
    assert.throws(() => checkLosses([10], [10, 9.5]), /1 steps against 2/);
    assert.throws(() => checkLosses([], []), /0 steps against 0/);
  });
});
