/** Drafts from the text, and how long they are. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DraftLength } from '../../../../clients/typescript/inference/speculation/draft-length.js';
import { PromptLookup } from '../../../../clients/typescript/inference/speculation/prompt-lookup.js';

describe('prompt lookup', () => {
  it('drafts what followed the last tokens, of the longest run and the latest place', () => {
    const lookup = new PromptLookup([1, 2, 3, 9, 2, 3, 7, 1, 2, 3]);
    assert.deepEqual(lookup.draft(3), [9, 2, 3], 'the run 1 2 3 came once, before 9');
    assert.deepEqual(new PromptLookup([2, 3, 9, 2, 3, 7, 8, 2, 3]).draft(2), [7, 8]);
    assert.deepEqual(new PromptLookup([1, 2, 3, 4]).draft(4), []);
    assert.deepEqual(new PromptLookup([1, 1, 1]).draft(3), [1, 1, 1]);
    assert.deepEqual(new PromptLookup([5, 6, 5, 6]).draft(5), [5, 6, 5, 6, 5]);
    assert.deepEqual(new PromptLookup([]).draft(2), []);
  });

  it('is a search of all earlier runs, done as the text grows', () => {
    const search = (ids: readonly number[], most: number): readonly number[] => {
      for (let length = Math.min(4, ids.length); length >= 2; length--)
        for (let end = ids.length - 1; end >= length; end--)
          if (ids.slice(end - length, end).every((id, at) => id === ids[ids.length - length + at]))
            return Array.from({ length: most }, (_, at) => ids[end + (at % (ids.length - end))]!);
      return [];
    };
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 40 }), fc.array(fc.nat(3), { maxLength: 10 }), (prompt, more) => {
        const lookup = new PromptLookup(prompt);
        for (const id of more) lookup.push(id);
        assert.deepEqual(lookup.draft(6), search([...prompt, ...more], 6));
      }),
    );
  });
});

describe('the length of a draft', () => {
  /** Runs steps whose drafted tokens are right with a probability; gives mean times of a token. */
  function simulate(
    right: number,
    stepMs: number,
    rowMs: number,
    steps = 400,
  ): { readonly plain: number; readonly drafted: number; readonly last: number } {
    const length = new DraftLength();
    let [ms, tokens, last, state] = [0, 0, 0, 1];
    const random = () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    for (let at = 0; at < steps; at++) {
      last = length.next();
      let accepted = 0;
      while (accepted < last && random() < right) accepted++;
      const took = stepMs + last * rowMs;
      length.note(last, accepted, took);
      ms += took;
      tokens += accepted + 1;
    }
    return { plain: stepMs, drafted: ms / tokens, last };
  }

  it('grows where drafts are right and the round trip is long', () => {
    const { plain, drafted, last } = simulate(0.9, 50, 1);
    assert.ok(last >= 8, `${last}`);
    assert.ok(drafted < plain / 3, `${drafted}`);
  });

  it('costs less than 3 % where drafts are never right, or rows cost as much as steps', () => {
    for (const { plain, drafted } of [simulate(0, 50, 5), simulate(0, 50, 5, 40), simulate(0.05, 10, 4), simulate(0.5, 10, 10)])
      assert.ok(drafted < 1.03 * plain, `${drafted} ms a token, ${plain} without drafts`);
  });

  it('costs a text of 40 tokens less than 2 % to learn that drafts are never right', () => {
    for (const rowMs of [1, 5]) {
      const { plain, drafted } = simulate(0, 50, rowMs, 40);
      assert.ok(drafted < 1.02 * plain, `${drafted} ms a token, ${plain} without drafts`);
    }
  });

  it('finds out that drafts are right by now', () => {
    const length = new DraftLength();
    for (let at = 0; at < 100; at++) length.note(length.next(), 0, 20);
    let longest = 0;
    for (let at = 0; at < 200; at++) {
      const k = length.next();
      length.note(k, k, 20 + k);
      longest = Math.max(longest, k);
    }
    assert.ok(longest >= 8, `${longest}`);
  });
});
