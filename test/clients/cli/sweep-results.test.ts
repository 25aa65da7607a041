/** The ranking of a sweep. */
import assert from 'node:assert/strict';
import { rankSweep, type SweepRow, sweepTable } from '../../../clients/typescript/cli/sweep/sweep-results.js';

describe('the results of a sweep', () => {
  const row = (
    learningRate: number,
    validationLoss: number | null,
    trainingLoss: number | null,
    outcome: SweepRow['outcome'] = 'finished',
  ) => ({
    learningRate,
    run: `lr-${learningRate}`,
    outcome,
    step: 9,
    trainingLoss,
    validationLoss,
    seconds: 1,
    curve: [3, 2, 1],
  });
  const order = (rows: readonly SweepRow[]) => rankSweep(rows, 's').rows.map(({ learningRate }) => learningRate);

  it('are ranked by validation loss, and without one by training loss', () => {
    assert.deepEqual(order([row(1, 3, 1), row(2, 2, 3), row(3, 4, 2)]), [2, 1, 3]);
    assert.deepEqual(order([row(1, null, 1.5), row(2, null, 3), row(3, null, 1)]), [3, 1, 2]);
  });

  it('put a diverged run last, however good its losses were before, and never call it the best', () => {
    const rows = [row(1, 0.1, 0.1, 'diverged'), row(2, 3, 3)];
    assert.deepEqual(order(rows), [2, 1]);
    assert.equal(rankSweep(rows, 's').best, 'lr-2');
    assert.equal(rankSweep([row(1, 0.1, 0.1, 'diverged')], 's').best, null);
  });

  it('are a table with the best marked', () => {
    const lines = sweepTable(rankSweep([row(0.1, 3, 1), row(0.02, 2, null)], 's'), false);
    assert.deepEqual(
      lines.map((line) => line.trim().split(/ {2,}/)),
      [
        ['lr', 'validation', 'training', 'steps', 'outcome', 'training loss'],
        ['*', '0.02', '2.0000', '-', '9', 'finished', '#=_'],
        ['0.1', '3.0000', '1.0000', '9', 'finished', '#=_'],
      ],
    );
  });
});
