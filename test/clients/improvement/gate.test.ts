/** The gate: paired bootstrap intervals decide, seeded; and when a run starts. */
import assert from 'node:assert/strict';
import { type Difference, difference, metricsOf } from '../../../clients/typescript/improvement/bootstrap.js';
import { judge } from '../../../clients/typescript/improvement/gate.js';
import { measuredSet } from '../../../clients/typescript/improvement/training-set.js';
import { dueReason } from '../../../clients/typescript/improvement/trigger.js';
import type { ExampleScore } from '../../../clients/typescript/inference/evaluate.js';
import { seeded } from '../../../src/tensor/random.js';

const score = (lossSum: number, exact = lossSum < 1, targets = 1): ExampleScore => ({
  lossSum,
  targets,
  correct: exact ? targets : 0,
  exact,
});
const estimate = (value: number, low: number, high: number) => ({ value, low, high });
const same = estimate(0, -0.1, 0.1);

describe('the gate', () => {
  it('takes differences of the same examples, by tokens, with intervals that the seed fixes', () => {
    const before = [score(4, false, 2), score(2, false), score(0.5)];
    const after = [score(1, true, 2), score(2, false), score(0.5)];
    const found = difference(before, after, 3);
    assert.equal(found.loss.value, -3 / 4);
    assert.equal(found.exactMatch.value, 1 / 3);
    assert.deepEqual(difference(before, after, 3), found);
    assert.notDeepEqual(difference(before.concat(before), after.concat(after), 3), found);
    assert.deepEqual(metricsOf(after), { loss: 3.5 / 4, accuracy: 3 / 4, exactMatch: 2 / 3 });
  });

  it('covers the mean of normal differences in about 95 of 100 samples', () => {
    const random = seeded(7);
    let covered = 0;
    for (let sample = 0; sample < 100; sample++) {
      const before = Array.from({ length: 40 }, () => score(3 + random.normal()));
      const after = before.map(({ lossSum }) => score(lossSum - 0.3 + random.normal()));
      const { low, high } = difference(before, after, sample).loss;
      if (low <= -0.3 && -0.3 <= high) covered += 1;
    }
    assert.ok(covered >= 88 && covered <= 100, `${covered} of 100`);
  });

  const rows: readonly (readonly [string, Partial<Difference> | undefined, Partial<Difference> | undefined, boolean, RegExp])[] = [
    [
      'a surely lower loss is promoted',
      { loss: estimate(-0.5, -0.6, -0.4) },
      undefined,
      true,
      /^loss on 30 held-out examples: -0\.5000 \(95 %: -0\.6000 to -0\.4000\): better$/,
    ],
    ['surely more exact matches are promoted', { exactMatch: estimate(0.2, 0.1, 0.3) }, undefined, true, /^exact match .*: better$/],
    ['no sure gain is kept', {}, undefined, false, /no sure gain$/],
    [
      'a surely higher loss is kept',
      { loss: estimate(0.5, 0.4, 0.6), exactMatch: estimate(0.2, 0.1, 0.3) },
      undefined,
      false,
      /^loss .*: worse$/,
    ],
    [
      'surely fewer exact matches are kept',
      { loss: estimate(-0.5, -0.6, -0.4), exactMatch: estimate(-0.2, -0.3, -0.1) },
      undefined,
      false,
      /^exact match .*: worse$/,
    ],
    [
      'forgetting over the bound is kept',
      { loss: estimate(-0.5, -0.6, -0.4) },
      { loss: estimate(0.06, -0.1, 0.2) },
      false,
      /forgotten, more than --max-forgetting 0\.05$/,
    ],
    ['forgetting within it is promoted', { loss: estimate(-0.5, -0.6, -0.4) }, { loss: estimate(0.04, 0.01, 0.2) }, true, /better$/],
    [
      'surely fewer earlier exact matches are kept',
      { loss: estimate(-0.5, -0.6, -0.4) },
      { exactMatch: estimate(-0.2, -0.3, -0.1) },
      false,
      /^exact match on 30 earlier .*: forgotten$/,
    ],
    ['without held-out examples nothing is promoted', undefined, undefined, false, /no held-out examples .* --held-out/],
  ];
  for (const [title, current, earlier, promote, reason] of rows) {
    it(title, () => {
      const whole = (part: Partial<Difference> | undefined) => part && { loss: same, exactMatch: same, examples: 30, ...part };
      const judged = judge({ current: whole(current), earlier: whole(earlier), maxForgetting: 0.05 });
      assert.equal(judged.promote, promote);
      assert.match(judged.reasons.join('; '), reason);
    });
  }

  it('measures a bounded number of examples, and those stay in when more come', () => {
    const examples = Array.from({ length: 50 }, (_, ordinal) => {
      const digest = ((ordinal * 37) % 101).toString(16).padStart(64, '0');
      return { record: '', digest, origin: 'data' as const, at: 0, ordinal };
    });
    const chosen = measuredSet(examples, 10);
    assert.equal(chosen.length, 10);
    assert.deepEqual(measuredSet(examples.slice(0, 5), 10), examples.slice(0, 5));
    const fewer = measuredSet(examples.slice(0, 40), 10);
    for (const example of chosen) if (example.ordinal < 40) assert.ok(fewer.includes(example));
  });

  it('starts runs by count, by time with something new, or by either', () => {
    const hour = 3_600_000;
    const due = (everyMs: number | undefined, minNew: number | undefined, fresh: number, idleMs = 0) =>
      dueReason({ everyMs, minNew }, fresh, idleMs) !== undefined;
    assert.deepEqual(
      [due(undefined, undefined, 49), due(undefined, undefined, 50), due(undefined, 3, 2), due(undefined, 3, 3)],
      [false, true, false, true],
    );
    assert.deepEqual(
      [due(hour, undefined, 500, hour - 1), due(hour, undefined, 1, hour), due(hour, undefined, 0, hour)],
      [false, true, false],
    );
    assert.deepEqual([due(hour, 10, 10), due(hour, 10, 9), due(hour, 10, 9, hour)], [true, false, true]);
  });
});
