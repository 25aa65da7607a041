/** A compiled grammar over a tokenizer's tokens, and the texts that are at places in it. */
import type { CompiledGrammar, GrammarMatcher } from '@mlc-ai/web-xgrammar';
import { CutlayerError } from '../../../../../src/errors.js';
import { bytesOfToken, type TokenBytes } from '../../../data/token-bytes.js';
import { constraintGrammar } from '../constraint.js';
import { notationOf } from '../expressions/ebnf.js';
import { symbolsOf } from '../expressions/symbols.js';
import type { GrammarWorkerData } from './messages.js';
import { loadXgrammar } from './xgrammar.js';

const SPACE = 0x20;

/** What {@link compileMatcher} needs. */
export type MatcherSetup = Omit<GrammarWorkerData, 'port'>;

/** Masks of texts that grow. */
export interface Matcher {
  /** @returns the mask of the first token */
  begin(text: number): Promise<Int32Array>;
  /** @returns the mask after a token @throws CutlayerError INTERNAL: one that the mask had not */
  accept(text: number, token: number): Promise<Int32Array>;
  end(text: number): void;
}

interface Place {
  readonly matcher: GrammarMatcher;
  begun: boolean;
}

/**
 * @throws CutlayerError INVALID_ARGUMENT, LIMIT_EXCEEDED, as `constraintGrammar`
 */
export async function compileMatcher({ constraint, tokens, vocabSize, stopTokenIds }: MatcherSetup): Promise<Matcher> {
  const notation = notationOf(constraintGrammar(constraint));
  const xgrammar = loadXgrammar();
  const { vocabulary, firsts } = vocabularyOf(tokens, vocabSize);
  const stops = stopTokenIds.filter((id) => id < vocabSize);
  const info = await xgrammar.TokenizerInfo.createTokenizerInfo(vocabulary, 'raw', false, vocabulary.length, [...stops]);
  const compiler = await xgrammar.GrammarCompiler.createGrammarCompiler(info, false);
  const compiled: CompiledGrammar = await compiler.compileGrammar(notation);
  const places = new Map<number, Place>();
  const words = Math.ceil(vocabSize / 32);

  async function mask({ matcher, begun }: Place): Promise<Int32Array> {
    const given = await matcher.getNextTokenBitmask();
    const made = given.slice(0, words);
    // Bits beyond the vocabulary say nothing.
    if (vocabSize % 32 !== 0) made[words - 1]! &= (1 << (vocabSize % 32)) - 1;
    if (!begun) for (const [id, first] of firsts) setBit(made, id, first === undefined || hasBit(given, first));
    return made;
  }

  return {
    async begin(text) {
      const matcher = await xgrammar.GrammarMatcher.createGrammarMatcher(compiled, [...stops]);
      const place = { matcher, begun: false };
      places.set(text, place);
      return mask(place);
    },
    async accept(text, token) {
      const place = places.get(text);
      const id = place?.begun === false && firsts.has(token) ? firsts.get(token) : token;
      if (place === undefined || (id !== undefined && !place.matcher.acceptToken(id)))
        throw new CutlayerError('INTERNAL', 'constraint: a token came that the grammar does not allow');
      place.begun = true;
      return mask(place);
    },
    end(text) {
      places.get(text)?.matcher.dispose();
      places.delete(text);
    },
  };
}

/**
 * Tokens as symbols, by id; a token without exact bytes has none and is never allowed. Where the
 * decoder drops a space before a text, a first token counts without it, under an id of its own. A
 * space alone adds nothing, and has none.
 */
function vocabularyOf(tokens: TokenBytes, vocabSize: number) {
  const vocabulary: string[] = [];
  const firsts = new Map<number, number | undefined>();
  for (let id = 0; id < vocabSize; id++) vocabulary.push(symbolsOf(bytesOfToken(tokens, id)) ?? '');
  if (tokens.dropsFirstSpace) {
    for (let id = 0; id < vocabSize; id++) {
      if (vocabulary[id]!.charCodeAt(0) !== SPACE) continue;
      const rest = vocabulary[id]!.slice(1);
      firsts.set(id, rest === '' ? undefined : vocabulary.length);
      if (rest !== '') vocabulary.push(rest);
    }
  }
  return { vocabulary, firsts };
}

const hasBit = (mask: Int32Array, at: number): boolean => ((mask[at >> 5]! >>> (at & 31)) & 1) === 1;

function setBit(mask: Int32Array, at: number, value: boolean): void {
  if (value) mask[at >> 5]! |= 1 << (at & 31);
  else mask[at >> 5]! &= ~(1 << (at & 31));
}
