/** Which words of an answer are marked as changed. */
import assert from 'node:assert/strict';
import { changedWords } from '../../demo/changed-words.js';

const marked = (before: string, after: string): string =>
  changedWords(before, after)
    .map(({ text, changed }) => (changed ? `[${text.trim()}]` : text.trim()))
    .join(' ');

describe('changed words', () => {
  it('marks words that are new or stand elsewhere, and keeps the text', () => {
    assert.equal(marked('ELC / green / Harbour Hall', ' green / Harbour Hall / ELC'), '[green] / Harbour Hall [/] [ELC]');
    assert.equal(marked('a b c', 'a b c'), 'a b c');
    assert.equal(marked('', 'a b'), '[a] [b]');
    assert.equal(marked('a b', ''), '');
    const text = '  two\n words ';
    const stretches = changedWords('other', text);
    assert.equal(stretches.map((stretch) => stretch.text).join(''), text);
  });
});
