/** The exact bytes of tokens: what a text of any tokens decodes to. */
import assert from 'node:assert/strict';
import { bytesOfToken } from '../../../clients/typescript/data/token-bytes.js';
import { TokenizerProgram } from '../../../clients/typescript/data/tokenizer-program.js';
import { seeded } from '../../../src/tensor/random.js';
import { tokenizerNames, tokenizerOf } from '../../support/tokenizer-grid.js';

describe('the bytes of tokens', () => {
  for (const name of tokenizerNames)
    it(`are what texts of ${name} decode to, at the beginning and later`, () => {
      const program = new TokenizerProgram(tokenizerOf(name));
      // The program answers each kind of request with its own type.
      const tokens = program.answer({ kind: 'bytes' }) as Parameters<typeof bytesOfToken>[0];
      const known = Array.from(tokens.ends.keys()).filter((id) => bytesOfToken(tokens, id).length > 0);
      assert.ok(known.length > 50, `${known.length} tokens`);
      const random = seeded(5, 0x7462);
      let compared = 0;
      for (let draw = 0; draw < 200; draw++) {
        const ids = Array.from({ length: 1 + (draw % 7) }, () => known[Math.floor(random.next() * known.length)]!);
        const text = Buffer.concat(ids.map((id) => bytesOfToken(tokens, id))).toString();
        if (text.includes('\uFFFD')) continue;
        compared++;
        assert.equal(program.answer({ kind: 'decode', ids }), tokens.dropsFirstSpace ? text.replace(/^ /, '') : text);
      }
      assert.ok(compared > 20, `${compared} texts`);
    });

  it('are refused where a decoder writes other texts than the tokens', () => {
    const setup = tokenizerOf('unigram');
    const program = new TokenizerProgram({
      ...setup,
      tokenizerJson: { ...setup.tokenizerJson, decoder: { type: 'WordPiece', prefix: '##', cleanup: true } },
    });
    assert.throws(() => program.answer({ kind: 'bytes' }), { code: 'INVALID_ARTIFACT', message: /decoder WordPiece does not give it/ });
  });
});
