/** The training loss that a run reports, and what it says of the course of its losses. */
import assert from 'node:assert/strict';
import { lossTrouble, RecentLoss } from '../../../clients/typescript/training/recent-loss.js';

const meanOf = (records: readonly (readonly [epoch: number, loss: number, targets: number])[]): number | undefined => {
  const recent = new RecentLoss();
  for (const [epoch, loss, targets] of records) recent.add({ epoch, loss, targets });
  return recent.mean;
};

describe('the training loss of a run', () => {
  it('is the mean over the targets of the last whole epoch', () => {
    assert.equal(meanOf([]), undefined);
    assert.equal(meanOf([[0, 4, 0]]), undefined);
    assert.equal(meanOf([[0, 1, 1], [0, 4, 3]]), 13 / 4); // biome-ignore format: one run
    assert.equal(meanOf([[0, 9, 1], [0, 9, 1], [1, 1, 1], [1, 3, 1]]), 2); // biome-ignore format: one run
  });

  it('reaches back into the epoch before while the last one has fewer steps', () => {
    assert.equal(meanOf([[0, 9, 1], [0, 5, 1], [1, 1, 1]]), 3); // biome-ignore format: one run
    assert.equal(meanOf([[0, 9, 1], [0, 5, 1], [1, 1, 1], [1, 2, 1], [2, 6, 1]]), 4); // biome-ignore format: one run
  });
});

describe('the course of losses', () => {
  const losses = (of: (at: number) => number): number[] => Array.from({ length: 40 }, (_, at) => of(at));
  it('is in order while they fall, with noise', () => {
    assert.equal(lossTrouble(losses((at) => 2 / (1 + at / 5))), undefined);
    assert.equal(lossTrouble(losses((at) => 2 / (1 + at / 5) + (at % 3) / 50)), undefined);
    assert.equal(lossTrouble(losses((at) => (at < 5 ? 0.5 : 0.001 * (1 + (at % 4))))), undefined);
    assert.equal(lossTrouble(losses(() => 0.001)), undefined);
    assert.equal(lossTrouble([3, 2, 4]), undefined);
  });

  it('is told where they rise again or never fell', () => {
    assert.equal(lossTrouble(losses((at) => 1 + Math.abs(at - 20) / 20 - (at < 5 ? -1 : 0))), 'rises');
    assert.equal(lossTrouble(losses(() => 2)), 'never fell');
    assert.equal(lossTrouble(losses((at) => 2 + at / 40)), 'never fell');
  });
});
