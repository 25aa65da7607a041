/** Holds the documents to plain technical English: short sentences, short lines, no riddles. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { documentFiles } from './files.js';
import { proseLines, sentencesOf, unclear, wordsOf } from './prose.js';

const MOST_WORDS = 25;
const MOST_COLUMNS = 120;

const root = packageRoot();

describe('documents', () => {
  for (const file of documentFiles()) {
    const text = readFileSync(join(root, file), 'utf8');

    it(`${file}: a sentence has at most ${MOST_WORDS} words`, () => {
      const long = sentencesOf(text).filter((sentence) => wordsOf(sentence.text) > MOST_WORDS);
      assert.deepEqual(
        long.map((sentence) => `${file}:${sentence.line}: ${wordsOf(sentence.text)} words: ${sentence.text}`),
        [],
      );
    });

    it(`${file}: a line is one sentence, or has at most ${MOST_COLUMNS} columns`, () => {
      const wide = proseLines(text).flatMap((line, index) => {
        const plain = line.replace(/\]\([^)]*\)/g, ']');
        return plain.length > MOST_COLUMNS && sentencesOf(line).length > 1 ? [`${file}:${index + 1}: ${plain.length} columns`] : [];
      });
      assert.deepEqual(wide, []);
    });

    it(`${file}: no word that makes a reader stop`, () => {
      const found = sentencesOf(text).filter((sentence) => unclear.test(sentence.text));
      assert.deepEqual(
        found.map((sentence) => `${file}:${sentence.line}: ${sentence.text}`),
        [],
      );
    });
  }
});
