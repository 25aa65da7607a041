/** The normalizer of sentencepiece's maps: what it gives is that of the Rust tokenizers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Charsmap } from '../../../clients/typescript/data/charsmap.js';
import { TextEncoding } from '../../../clients/typescript/data/text-encoding.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { textFixture } from '../../support/tokenizer-grid.js';

interface Cases {
  readonly normalized: readonly (readonly [string, string])[];
  readonly texts: readonly string[];
  readonly ids: { readonly [K in 't5' | 'xlm-roberta']: readonly (readonly number[])[] };
}

describe("a tokenizer with sentencepiece's map of characters", () => {
  const fixture = (file: string): Buffer => readFileSync(join(packageRoot(), 'test/fixtures/charsmap', file));
  const cases = JSON.parse(fixture('charsmap.json').toString()) as Cases;
  const encoded = gunzipSync(fixture('nmt_nfkc.gz')).toString('base64');

  it('reads texts as the Rust tokenizers do: full width, ligatures, marks, NUL, zero width, joined graphemes', () => {
    const charsmap = new Charsmap(encoded);
    for (const [text, wanted] of cases.normalized) assert.equal(charsmap.normalize(text), wanted, JSON.stringify(text));
  });

  it('gives the ids of T5 and of XLM-R', () => {
    const precompiled = { type: 'Precompiled', precompiled_charsmap: encoded };
    const blanks = { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' };
    const normalizers = { t5: precompiled, 'xlm-roberta': { type: 'Sequence', normalizers: [precompiled, blanks] } };
    for (const [name, normalizer] of Object.entries(normalizers)) {
      const encoding = new TextEncoding(Object.assign(textFixture<object>('unigram.json'), { normalizer }), {});
      const got = cases.texts.map((text) => encoding.encode(text).ids);
      assert.deepEqual(got, cases.ids[name as keyof Cases['ids']], name);
    }
  });

  it('takes time in proportion to the text, also of one long grapheme', () => {
    const charsmap = new Charsmap(encoded);
    const began = process.cpuUsage();
    const text = `${'\u00dcn\u00efc\u00f6d\u00e9 '.repeat(10_000)}a${'\u0301'.repeat(100_000)}`;
    assert.equal(charsmap.normalize(text).length, text.length);
    const { user, system } = process.cpuUsage(began);
    assert.ok(user + system < 20_000_000, `${user + system}`);
  });

  it('is refused where the map is none', () => {
    for (const given of [undefined, null, '', 'AAAA', 'AAAAAA==', Buffer.from([8, 0, 0, 0, 1, 2, 3, 4]).toString('base64')])
      assert.throws(() => new Charsmap(given), { message: /^precompiled_charsmap: expected a trie and its texts, got \d+ bytes$/ });
  });
});
