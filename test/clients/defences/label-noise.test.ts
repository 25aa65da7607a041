/** Randomised response on labels, and what is guaranteed of it. */
import assert from 'node:assert/strict';
import type { Example } from '../../../clients/typescript/data/examples.js';
import { labelNoise } from '../../../clients/typescript/defences/label-noise.js';
import { NoiseSecret } from '../../../clients/typescript/defences/noise-secret.js';
import { hasCode } from '../../support/has-code.js';

const secret = NoiseSecret.parse('3'.repeat(64), 'test');
const noise = (epsilon: number) => labelNoise({ epsilon, secret });
const classes = { classes: 4, most: 8 };
const answers = { classes: undefined, most: 8 };

/** Texts of their own, with a class. */
const classified = (count: number, label: number): readonly Example[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ tokenIds: Int32Array.of(at, 7), labelMask: new Uint8Array(2), promptLength: 0, classLabel: label, source: `data:${at}` },
  }));

/** A prompt and an answer. */
const answered = (prompt: readonly number[], answer: readonly number[]): Example => ({
  tokenIds: Int32Array.of(...prompt, ...answer),
  labelMask: Uint8Array.of(...prompt.map(() => 0), ...answer.map(() => 1)),
  ...{ promptLength: prompt.length, source: `data:${prompt.join()}` },
});

describe('noise on labels', () => {
  it('draws each label with the probabilities of its epsilon', () => {
    const counts = [0, 0, 0, 0];
    const { examples, notes } = noise(1.5).noised(classified(2000, 2), classes);
    for (const { classLabel } of examples) counts[classLabel!]!++;
    const factor = Math.exp(1.5);
    for (const [label, count] of counts.entries()) {
      const share = (label === 2 ? factor : 1) / (factor + 3);
      assert.ok(Math.abs(count - 2000 * share) < 5 * Math.sqrt(2000 * share * (1 - share)), `${label}: ${counts}`);
    }
    assert.match(notes.join(), /\(label, epsilon 1\.5, delta 0\).* a label of 4 is kept with probability 0\.599;/);
  });

  it('is the same for a record each time, whatever others there are, and other under another secret', () => {
    const records = classified(200, 1);
    const drawn = (list: readonly Example[], from = noise(1)) => from.noised(list, classes).examples.map(({ classLabel }) => classLabel);
    const whole = drawn(records);
    assert.deepEqual(drawn(records), whole);
    assert.deepEqual(drawn(records.slice(50)), whole.slice(50));
    assert.notDeepEqual(drawn(records, labelNoise({ epsilon: 1, secret: NoiseSecret.fresh() })), whole);
    // The same text again is another label.
    assert.notDeepEqual(
      drawn(records.flatMap((record) => [record, record])).filter((_, at) => at % 2 === 1),
      whole,
    );
  });

  it('changes a draw only to a label that is new, where labels are added', () => {
    const prompts = Array.from({ length: 300 }, (_, at) => [at + 1, 9]);
    const few = prompts.map((prompt, at) => answered(prompt, [20 + (at % 3)]));
    const more = [...few, answered([500, 9], [23]), answered([501, 9], [24])];
    const answerOf = ({ tokenIds, promptLength }: Example) => tokenIds[promptLength]!;
    const before = noise(0.5).noised(few, answers).examples.map(answerOf);
    const after = noise(0.5).noised(more, answers).examples.map(answerOf);
    const changed = before.flatMap((answer, at) => (after[at] === answer ? [] : [after[at]!]));
    assert.ok(changed.length > 30 && changed.every((answer) => answer > 22), `${changed}`);
  });

  it('puts whole answers with their masks in the place of others, within a task', () => {
    const records = [answered([1, 2], [5]), answered([3], [6, 7]), { ...answered([4], [8]), task: 1 }, { ...answered([5], [9]), task: 1 }];
    const seen = new Set<string>();
    for (let at = 0; at < 64; at++) {
      const { examples } = labelNoise({ epsilon: 0.1, secret: NoiseSecret.fresh() }).noised(records, answers);
      for (const { tokenIds, labelMask, promptLength } of examples) {
        assert.deepEqual(
          [...labelMask],
          [...tokenIds].map((_, token) => (token < promptLength ? 0 : 1)),
        );
        seen.add(tokenIds.join());
      }
    }
    assert.deepEqual([...seen].sort(), ['1,2,5', '1,2,6,7', '3,5', '3,6,7', '4,8', '4,9', '5,8', '5,9']);
  });

  it('refuses records without a label of few, and answers that would not fit', () => {
    const text = { ...answered([1], [2]), promptLength: 0 };
    const refusals: readonly [readonly Example[], RegExp][] = [
      [[text, text], /data:1: label-noise: expected a prompt and one answer, or a class/],
      [[answered([1], [2]), answered([3], [2])], /expected from 2 to 1024 different labels, got 1/],
      [Array.from({ length: 1025 }, (_, at) => answered([1], [at])), /got 1025/],
      [[answered([1, 2, 3, 4, 5, 6, 7], [2]), answered([1], [2, 3])], /may give it an answer that makes 9 tokens; the most is 8/],
    ];
    for (const [records, message] of refusals) assert.throws(() => noise(1).noised(records, answers), hasCode('INVALID_DATA', message));
    for (const epsilon of [0, Number.NaN, Infinity]) assert.throws(() => noise(epsilon), hasCode('INVALID_ARGUMENT'));
  });
});
