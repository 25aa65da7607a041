/** Text of tokens as they come, and the stop strings that end it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type TokenizerAnswers, TokenizerProgram } from '../../../clients/typescript/data/tokenizer-program.js';
import { StopStrings } from '../../../clients/typescript/inference/stop-strings.js';
import { TextStream } from '../../../clients/typescript/inference/text-stream.js';
import { tokenizerNames, tokenizerOf } from '../../support/tokenizer-grid.js';

/** Characters of one to four bytes, of several code points, and not in a vocabulary. */
const texts = fc.array(fc.constantFrom('a', ' the', '  ', 'ü', '漢字', '😀', '👩‍👩‍👧', '\n\n', ' .', "don't", '\uFFFD', '\u0301', 'नमस्ते'), {
  maxLength: 60,
});

describe('text of tokens as they come', () => {
  for (const name of tokenizerNames) {
    it(`joined is the text of all tokens: ${name}`, () => {
      const program = new TokenizerProgram(tokenizerOf(name));
      const decode = (ids: readonly number[]): string =>
        ids.length === 0 ? '' : (program.answer({ kind: 'decode', ids }) as TokenizerAnswers['decode']);
      fc.assert(
        fc.property(texts, (parts) => {
          const ids = [...(program.answer({ kind: 'encode', texts: [parts.join('')] }) as TokenizerAnswers['encode']).ids];
          const stream = new TextStream(decode);
          const pieces = ids.map((id) => stream.push(id));
          assert.equal(pieces.join('') + stream.finish(), decode(ids));
        }),
        { numRuns: 40 },
      );
    });
  }

  it('decodes few tokens at a time, however long the text is', () => {
    let [most, calls] = [0, 0];
    const stream = new TextStream((ids) => {
      most = Math.max(most, ids.length);
      calls++;
      return String.fromCodePoint(...ids);
    });
    let text = '';
    for (let at = 0; at < 2000; at++) text += stream.push(65 + (at % 26));
    assert.equal((text + stream.finish()).length, 2000);
    assert.ok(most <= 64 && calls <= 4500, `${most} tokens at a time, ${calls} calls`);
  });

  it('gives up waiting for a character that never comes', () => {
    const stream = new TextStream((ids) => '\uFFFD'.repeat(ids.length));
    const pieces = Array.from({ length: 200 }, () => stream.push(0));
    assert.equal((pieces.join('') + stream.finish()).length, 200);
    assert.ok(pieces.some((piece) => piece !== ''));
  });
});

describe('stop strings', () => {
  const shown = (stops: readonly string[], pieces: readonly string[]): readonly [string, string | undefined] => {
    const watch = new StopStrings(stops);
    let text = '';
    for (const piece of pieces) {
      const part = watch.push(piece);
      text += part.text;
      if (part.stop !== undefined) return [text, part.stop];
    }
    return [text + watch.finish(), undefined];
  };

  it('ends before one that is spread over pieces, and shows no part of it', () => {
    assert.deepEqual(shown(['END'], ['one E', 'N', 'two EN', 'D three']), ['one ENtwo ', 'END']);
    assert.deepEqual(shown(['\n\nQ:', 'zz'], ['a\n', '\n', 'Q', ':b']), ['a', '\n\nQ:']);
    assert.deepEqual(shown(['aab'], ['aaa', 'ab']), ['aa', 'aab']);
    assert.deepEqual(shown(['END'], ['the EN']), ['the EN', undefined]);
  });

  it('cuts any text at the first one, whatever its pieces are', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 40 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 2, maxLength: 2 }), { maxLength: 3 });
    fc.assert(
      fc.property(letters, stops, fc.array(fc.nat(4), { minLength: 1 }), (text, all, sizes) => {
        const pieces: string[] = [];
        for (let at = 0, n = 0; at < text.length; n++) {
          const size = sizes[n % sizes.length]! + 1;
          pieces.push(text.slice(at, at + size));
          at += size;
        }
        const firsts = all.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
        assert.equal(shown(all, pieces)[0], firsts.length === 0 ? text : text.slice(0, Math.min(...firsts)));
      }),
    );
  });

  it('refuses an empty one, and too many', () => {
    assert.throws(() => new StopStrings(['']), { code: 'INVALID_ARGUMENT', message: /1 to 4096 characters, got one of 0/ });
    assert.throws(() => new StopStrings(new Array<string>(65).fill('x')), { code: 'INVALID_ARGUMENT', message: /at most 64/ });
  });
});
