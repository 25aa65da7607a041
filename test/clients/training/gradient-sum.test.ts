/** The gradient of a step from the cotangents of its batches. */
import assert from 'node:assert/strict';
import type { Parameter, StepCotangents } from '../../../clients/typescript/adapters/adapter.js';
import { GradientSum, type TaskResult } from '../../../clients/typescript/training/gradient-sum.js';
import { type Random, seeded } from '../../../src/tensor/random.js';
import { f32 } from '../../../src/tensor/tensor.js';

const SHAPE = [2, 3];
const parameters: readonly Parameter[] = ['rows', 'weight'].map((name) => ({ name, value: f32(SHAPE, new Float32Array(6)) }));
/** Its parameters are its parts. */
const adapter = {
  parameters,
  pullBack: async ({ softPrompt, blockWeights }: StepCotangents) =>
    [softPrompt, blockWeights?.weight].map((found) => found?.data ?? new Float32Array(6)),
};

/** A batch whose cotangents have zeros of both signs among them. */
function batch(random: Random, task: number | undefined): TaskResult {
  const values = () =>
    f32(
      SHAPE,
      Float32Array.from({ length: 6 }, (_, at) => (at < 2 ? [0, -0][at]! : random.next() - 0.5)),
    );
  const cotangents = { softPrompt: values(), blockWeights: { weight: values() } };
  return { task, cotangents, lossSum: 1, targets: 3, correct: 2, exact: [], sequences: [], rows: 1 };
}

async function gradients(ownCotangents: boolean, tasks: readonly (number | undefined)[]): Promise<readonly Float32Array[]> {
  const random = seeded(7);
  const sum = new GradientSum(adapter, { ownCotangents });
  for (const task of tasks) sum.add(Promise.resolve(batch(random, task)));
  return (await sum.gradients()).gradients;
}

describe('the gradient of a step', () => {
  for (const tasks of [[undefined], [undefined, undefined], [undefined, undefined, undefined], [0], [1, 0], [0, 1, 0]]) {
    it(`has the same bits whether a single batch is copied or not: tasks ${tasks.join()}`, async () => {
      const [own, copied] = [await gradients(true, tasks), await gradients(false, tasks)];
      assert.deepEqual(own, copied);
      assert.ok(own.every((values) => values.some((value) => value !== 0)));
    });
  }

  it('is the mean over the targets of all batches', async () => {
    const random = seeded(7);
    const [first, second] = [batch(random, undefined), batch(random, undefined)];
    const expected = first.cotangents.softPrompt!.data.map((value, at) => (value + second.cotangents.softPrompt!.data[at]!) / 6);
    const [rows] = await gradients(true, [undefined, undefined]);
    rows!.forEach((value, at) => {
      assert.ok(Math.abs(value - expected[at]!) < 1e-7);
    });
  });

  it('is zero for parameters without cotangents', async () => {
    assert.deepEqual(await gradients(true, []), [new Float32Array(6), new Float32Array(6)]);
  });
});
