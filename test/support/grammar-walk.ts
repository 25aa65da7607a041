/** Texts that a constraint lets through, drawn at random over a small vocabulary. */
import { bytesOfToken, type TokenBytes } from '../../clients/typescript/data/token-bytes.js';
import type { Constraint } from '../../clients/typescript/inference/grammar/constraint.js';
import { textCheck } from '../../clients/typescript/inference/grammar/worker/check-text.js';
import { compileMatcher, type Matcher } from '../../clients/typescript/inference/grammar/worker/matcher.js';
import { seeded } from '../../src/tensor/random.js';

/** Every byte, then some longer tokens; the last id ends a text. */
export const smallVocabulary: readonly Buffer[] = [
  ...Array.from({ length: 256 }, (_, byte) => Buffer.of(byte)),
  ...[
    'ab',
    '":',
    '{"',
    '"}',
    ', ',
    '1.',
    'null',
    'tru',
    'é',
    '"é',
    '日本',
    '😀',
    'a"',
    '\\"',
    '\\u00',
    '[]',
    '],',
    '  ',
    ' "',
    '12',
    'b,',
  ].map((one) => Buffer.from(one)),
  Buffer.from('日').subarray(0, 2),
];
export const STOP = smallVocabulary.length;

export const smallTokens = (dropsFirstSpace = false): TokenBytes => {
  let end = 0;
  const ends = Uint32Array.from(smallVocabulary, ({ length }) => (end += length));
  return { bytes: Uint8Array.from(Buffer.concat(smallVocabulary)), ends, dropsFirstSpace };
};

/** A few ids more than tokens, as models have. */
const VOCAB_SIZE = STOP + 6;

export interface Walked {
  readonly text: string;
  /** Whether it ended by itself. */
  readonly finished: boolean;
}

/** The allowed ids of a mask. */
export const allowedIds = (mask: Int32Array): readonly number[] =>
  Array.from({ length: mask.length * 32 }, (_, id) => id).filter((id) => ((mask[id >> 5]! >>> (id & 31)) & 1) === 1);

/** What a grammar over the small vocabulary is compiled with. */
export const smallSetup = (constraint: Constraint, dropsFirstSpace = false) => ({
  constraint,
  tokens: smallTokens(dropsFirstSpace),
  vocabSize: VOCAB_SIZE,
  stopTokenIds: [STOP],
});

export const smallMatcher = (constraint: Constraint, dropsFirstSpace = false): Promise<Matcher> =>
  compileMatcher(smallSetup(constraint, dropsFirstSpace));

let walks = 0;

/** Draws a text. Marks that close and the end are drawn more often, so that it is short. */
export async function walk(matcher: Matcher, seed: number, most = 300): Promise<Walked> {
  const random = seeded(seed, 0x6772);
  const tokens = smallTokens();
  const number = ++walks;
  const ids: number[] = [];
  let mask = await matcher.begin(number);
  let finished = false;
  while (ids.length < most) {
    const allowed = allowedIds(mask);
    if (allowed.length === 0) throw new Error(`no token may follow ${textOf(tokens, ids)}`);
    const closing = allowed.filter((id) => id === STOP || (id < 128 && '"}],:'.includes(String.fromCharCode(id))));
    const from = closing.length > 0 && random.next() < 0.3 ? closing : allowed;
    const id = from[Math.floor(random.next() * from.length)]!;
    if (id === STOP) {
      finished = true;
      break;
    }
    ids.push(id);
    mask = await matcher.accept(number, id);
  }
  matcher.end(number);
  return { text: textOf(tokens, ids), finished };
}

const textOf = (tokens: TokenBytes, ids: readonly number[]): string => Buffer.concat(ids.map((id) => bytesOfToken(tokens, id))).toString();

/** Draws texts; fails where one does not fit. @returns those that ended */
export async function drawnTexts(constraint: Constraint, count: number): Promise<readonly string[]> {
  const matcher = await smallMatcher(constraint);
  const fits = textCheck(constraint);
  const texts: string[] = [];
  for (let seed = 0; seed < count; seed++) {
    const { text, finished } = await walk(matcher, seed);
    if (!finished) continue;
    if (!fits(text)) throw new Error(`does not fit ${JSON.stringify(constraint)}: ${text}`);
    texts.push(text);
  }
  return texts;
}
