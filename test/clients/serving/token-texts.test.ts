/** Tokens by themselves: their bytes, joined, are the text, for byte-level and sentencepiece tokenizers alike. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TokenizerAnswers, TokenizerProgram } from '../../../clients/typescript/data/tokenizer-program.js';
import { packageRoot } from '../../../src/files/package-root.js';

const parsed = (path: string) => JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures', path), 'utf8')) as object;

describe('tokens as text', () => {
  const text = 'The pump caf\u00e9 \u{1f600} lost';
  for (const [path, special, before] of [
    ['llama-tiny/tokenizer.json', '<|turn|>', ''],
    ['text/sentencepiece.json', '<|eot|>', ' '],
  ] as const) {
    it(`are the bytes of the text in their order: ${path}`, () => {
      const program = new TokenizerProgram({ tokenizerJson: parsed(path), config: {}, chatTemplate: undefined });
      const ids = [...(program.answer({ kind: 'encode', texts: [text] }) as TokenizerAnswers['encode']).ids];
      const bytes = program.answer({ kind: 'tokens', ids }) as TokenizerAnswers['tokens'];
      assert.equal(bytes.length, ids.length);
      assert.equal(Buffer.concat([...bytes]).toString(), before + text);
      const [own] = (program.answer({ kind: 'encode', texts: [special] }) as TokenizerAnswers['encode']).ids;
      assert.equal(Buffer.from((program.answer({ kind: 'tokens', ids: [own!] }) as TokenizerAnswers['tokens'])[0]!).toString(), special);
      assert.equal((program.answer({ kind: 'tokens', ids: [1_000_000] }) as TokenizerAnswers['tokens'])[0]!.length, 0);
    });
  }
});
