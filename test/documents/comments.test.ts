/** Holds the comments of the sources to plain technical English: short sentences, text within 100 columns, no riddles. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/files/package-root.js';
import { commentLines, commentTexts } from './comments.js';
import { unclear, wordsOf } from './prose.js';

const MOST_WORDS = 25;
const MOST_COLUMNS = 100;

/** The sentences of a paragraph, and the codes of a tag; a code span, a link and what a tag names are one word. */
function sentencesIn(text: string): string[] {
  const plain = text.replace(/\{@link [^}]*\}|`[^`]*`/g, 'Code').replace(/^@(throws|see|param|returns?)\s+\S*/, '');
  return plain.split(text.startsWith('@throws') ? /;\s+/ : /(?<=[.!?][)"\]]*)\s+(?=[A-Z0-9(])/);
}

describe('comments', () => {
  for (const top of ['src', 'clients/typescript', 'demo', 'bench']) {
    const files = (readdirSync(join(packageRoot(), top), { recursive: true }) as string[])
      .map((name) => join(top, name))
      .filter((file) => file.endsWith('.ts') && !/(^|\/)generated\//.test(file));
    const sources = files.map((file) => [file, readFileSync(join(packageRoot(), file), 'utf8')] as const);

    it(`${top}: text within ${MOST_COLUMNS} columns`, () => {
      const wide = sources.flatMap(([file, source]) =>
        commentLines(source)
          .filter(([, line]) => line.length > MOST_COLUMNS && !/https?:\/\/|^\s*\* {3,}|^\s*\*?\s*\||biome-ignore/.test(line))
          .map(([line, text]) => `${file}:${line}: ${text.length} columns`),
      );
      assert.deepEqual(wide, []);
    });

    it(`${top}: a sentence has at most ${MOST_WORDS} words, and none that makes a reader stop`, () => {
      const found = sources.flatMap(([file, source]) =>
        commentTexts(source).flatMap(({ line, text }) =>
          sentencesIn(text)
            .filter((sentence) => wordsOf(sentence) > MOST_WORDS || unclear.test(sentence))
            .map((sentence) => `${file}:${line}: ${wordsOf(sentence)} words: ${sentence}`),
        ),
      );
      assert.deepEqual(found, []);
    });
  }
});
