import assert from 'node:assert/strict';
import { qualityOf, recoveryOf, type TextScore } from '../../../../src/commands/gateway/extraction/recovery.js';

/** Texts of ten labels, of which some are right. */
const texts = (...correct: readonly number[]): readonly TextScore[] =>
  correct.map((right) => ({ targets: 10, correct: right, lossSum: 10 - right }));

describe('recovery of a model by a student', () => {
  it('is the share of the way from no access to the model', () => {
    const [model, withoutAccess] = [texts(10, 10, 9, 9), texts(5, 5, 4, 4)];
    const ratio = (student: readonly TextScore[]) => recoveryOf({ model, withoutAccess, student }, 1)?.ratio;
    assert.equal(ratio(withoutAccess), 0);
    assert.equal(ratio(model), 1);
    assert.ok(Math.abs(ratio(texts(8, 7, 6, 7))! - 0.5) < 1e-12);
    assert.ok(ratio(texts(4, 4, 4, 4))! < 0);
  });

  it('has an interval that holds it, wider where the texts differ more', () => {
    const [model, withoutAccess] = [texts(...Array<number>(20).fill(10)), texts(...Array<number>(20).fill(0))];
    const width = (student: readonly TextScore[]): number => {
      const { ratio, low, high } = recoveryOf({ model, withoutAccess, student }, 1)!;
      assert.ok(low <= ratio && ratio <= high);
      return high - low;
    };
    assert.equal(width(texts(...Array<number>(20).fill(5))), 0);
    assert.ok(width(texts(...Array.from({ length: 20 }, (_, at) => (at % 2) * 10))) > 0.2);
  });

  it('is not stated where the model is no better than without access', () => {
    assert.equal(recoveryOf({ model: texts(3), withoutAccess: texts(3), student: texts(3) }, 1), undefined);
  });

  it('comes from the share of labels right, beside loss and whole texts', () => {
    assert.deepEqual(qualityOf(texts(10, 5)), { accuracy: 0.75, loss: 0.25, exact: 0.5 });
    assert.ok(Number.isNaN(qualityOf([]).accuracy));
  });
});
