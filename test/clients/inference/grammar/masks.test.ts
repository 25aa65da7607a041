/** Masks against an independent search: a token may come where some whole text goes on with it. */
import assert from 'node:assert/strict';
import { bytesOfToken } from '../../../../clients/typescript/data/token-bytes.js';
import { allowedIds, drawnTexts, STOP, smallMatcher, smallTokens, smallVocabulary } from '../../../support/grammar-walk.js';

/** Every text of a finite language. */
const languages: readonly (readonly [string, readonly string[]])[] = [
  ['(?:a|ab|b){1,3}', combinations(['a', 'ab', 'b'], 1, 3)],
  ['[a-c]?1\\.?', ['', 'a', 'b', 'c'].flatMap((one) => [`${one}1`, `${one}1.`])],
  ['^é?[à-é]{0,2}$', combinations([...'àáâãäåæçèé'], 0, 2).flatMap((one) => [one, `é${one}`])],
  ['[^\\u0000-\\u{1F5FF}\\u{1F602}-\\u{10FFFF}]', ['\u{1F600}', '\u{1F601}']],
  ['日本|日|😀\\n?', ['日本', '日', '😀', '😀\n']],
  ['(?<word>x){0,9}?y', Array.from({ length: 10 }, (_, n) => `${'x'.repeat(n)}y`)],
];

describe('masks of a constraint', () => {
  for (const [pattern, texts] of languages)
    it(`are exact for regex ${pattern}`, async () => {
      const whole = new RegExp(`^(?:${pattern})$`, 'u');
      assert.ok(texts.every((one) => whole.test(one)));
      await compareMasks(await smallMatcher({ kind: 'regex', pattern }), texts);
    });

  it('are exact for choices, also where one begins another', async () => {
    const choices = ['yes', 'no', 'not "a"', 'n', '日本語', ' a', 'a\tb'];
    await compareMasks(await smallMatcher({ kind: 'choice', choices }), choices);
  });

  it('are exact for integers between bounds', async () => {
    const schema = { type: 'integer', minimum: 3, maximum: 120 };
    await compareMasks(
      await smallMatcher({ kind: 'schema', schema }),
      Array.from({ length: 118 }, (_, at) => String(3 + at)),
    );
  });

  it('keep names of properties from coming twice', async () => {
    const integer = { type: 'integer' };
    const schema = { type: 'object', properties: { a: integer, ab: integer, '': integer }, additionalProperties: integer };
    const matcher = await smallMatcher({ kind: 'schema', schema });
    const closes = async (name: string): Promise<boolean> => {
      let mask = await matcher.begin(1);
      for (const byte of Buffer.from(`{"a":1,"ab":2,"":3,"${name}`)) mask = await matcher.accept(1, byte);
      matcher.end(1);
      return allowedIds(mask).includes('"'.charCodeAt(0));
    };
    const names = ['', 'a', 'ab', 'abc', 'b'];
    const closed: boolean[] = [];
    for (const name of names) closed.push(await closes(name));
    assert.deepEqual(closed, [false, false, false, true, true]);
  });

  it('count a first token without the space that decoding drops', async () => {
    const choices = ['"a', ' b', '  c'];
    const matcher = await smallMatcher({ kind: 'choice', choices }, true);
    const expected = smallVocabulary.flatMap((bytes, id) => {
      const text = bytes.toString().replace(/^ /, '');
      return choices.some((one) => one.startsWith(text)) ? [id] : [];
    });
    assert.deepEqual(allowedIds(await matcher.begin(1)), expected);
  });

  it('let each drawn text of a regex with many characters match', async () => {
    for (const pattern of ['\\p{L}{1,3}|\\d+', '[^\\s"]{2}\\s.', '(?:\\w+@)?[\\x41-\\u{5A}]\\.', '\\S\\D\\W']) {
      const texts = await drawnTexts({ kind: 'regex', pattern }, 40);
      assert.ok(texts.length > 20);
    }
  });
});

/** Walks over every text's beginnings. */
async function compareMasks(matcher: Awaited<ReturnType<typeof smallMatcher>>, texts: readonly string[]): Promise<void> {
  const tokens = smallTokens();
  const encoded = texts.map((one) => Buffer.from(one));
  const seen = new Set<string>();
  let number = 0;
  const visit = async (path: readonly number[], text: Buffer): Promise<void> => {
    number++;
    let mask = await matcher.begin(number);
    for (const id of path) mask = await matcher.accept(number, id);
    matcher.end(number);
    const goesOn = (id: number): boolean =>
      encoded.some((one) => one.subarray(0, text.length + smallVocabulary[id]!.length).equals(Buffer.concat([text, smallVocabulary[id]!])));
    const expected = [...smallVocabulary.keys()].filter(goesOn);
    if (encoded.some((one) => one.equals(text))) expected.push(STOP);
    assert.deepEqual(allowedIds(mask), expected, `after ${JSON.stringify(text.toString())}`);
    for (const id of expected) {
      if (id === STOP) continue;
      const next = Buffer.concat([text, bytesOfToken(tokens, id)]);
      const key = next.toString('hex');
      if (seen.has(key) || seen.size > 60) continue;
      seen.add(key);
      await visit([...path, id], next);
    }
  };
  await visit([], Buffer.alloc(0));
}

function combinations(parts: readonly string[], min: number, max: number): readonly string[] {
  let level = [''];
  const all: string[] = min === 0 ? [''] : [];
  for (let count = 1; count <= max; count++) {
    level = level.flatMap((one) => parts.map((part) => one + part));
    if (count >= min) all.push(...level);
  }
  return [...new Set(all)];
}
