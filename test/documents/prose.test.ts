/** Holds the documents to plain technical English: short sentences, short lines, no riddles, no claim beyond what is true. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { proseLines, sentencesOf, unclear, wordsOf } from './prose.js';

const MOST_WORDS = 25;
const MOST_COLUMNS = 120;

const root = packageRoot();

/** Files below some folders whose names end so, relative to the package. */
function filesOf(folders: readonly string[], ending: RegExp): string[] {
  return folders
    .flatMap((folder) => (readdirSync(join(root, folder), { recursive: true }) as string[]).map((name) => join(folder, name)))
    .filter((file) => ending.test(file) && !/(^|\/)(node_modules|dist|out|out-federated|generated|fixtures)\//.test(file));
}

const documents = ['README.md', ...filesOf(['docs', 'demo'], /\.md$/)];

/** What no text of ours may say: the vendor made the weights, and a prompt's values cross at each step. */
const falseClaims =
  /cannot see your|(adapter|prompt)( \w+)? never leaves|never leaves? (the|your) (client|machine|process)|cannot be stolen|encrypts? (the )?activations|labels and the adapter\b(?!'s)|no party (can )?see/i;

describe('documents', () => {
  for (const file of documents) {
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

  it('no shipped text claims what is not true', () => {
    const shipped = [...documents, 'package.json', ...filesOf(['src', 'clients', 'proto', 'demo'], /\.(ts|proto)$/)];
    const found = shipped.flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, index) => (falseClaims.test(line) ? [`${relative('.', file)}:${index + 1}: ${line.trim()}`] : [])),
    );
    assert.deepEqual(found, []);
  });
});
