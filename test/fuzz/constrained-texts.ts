/**
 * A constraint as a fuzz target takes it: refused by a typed error, or its drawn texts fit. Most
 * grammars are compiled in this process, which is a hundred times faster. Of those that may take
 * long on purpose a small sample runs in the bounded thread.
 */
import assert from 'node:assert/strict';
import { type Constraint, constraintGrammar } from '../../clients/typescript/inference/grammar/constraint.js';
import { notationOf } from '../../clients/typescript/inference/grammar/expressions/ebnf.js';
import type { Expression, Grammar } from '../../clients/typescript/inference/grammar/expressions/expression.js';
import { GrammarThread } from '../../clients/typescript/inference/grammar/grammar-thread.js';
import { textCheck } from '../../clients/typescript/inference/grammar/worker/check-text.js';
import { CutlayerError } from '../../src/errors.js';
import { smallMatcher, smallSetup, walk } from '../support/grammar-walk.js';

/** A grammar of at most so many parts, with its repeats written out, compiles at once. */
const MOST_PARTS = 3000;
/** One in so many of the others runs in the thread. */
const SAMPLE = 512;
const limits = { compileMs: 1000, answerMs: 500, heapMb: 128 };

/** One in so many of those that compile at once does: that takes longer than all before it. */
const COMPILED = 3;

const MOST_TOKENS = 32;
/** An expression of the engine that backtracks stays below the time of one input. */
const LONGEST_CHECKED = 24;

/** @param seed Of the walk. @throws CutlayerError as the constraint does; AssertionError */
export async function drawAndCheck(constraint: Constraint, seed: number): Promise<void> {
  const grammar = constraintGrammar(constraint);
  notationOf(grammar);
  const fits = textCheck(constraint);
  if (partsOf(grammar) > MOST_PARTS) return seed % SAMPLE === 0 ? inThread(constraint) : undefined;
  if (seed % COMPILED !== 0) return;
  const matcher = await smallMatcher(constraint);
  const { text, finished } = await walk(matcher, seed, MOST_TOKENS);
  if (finished && text.length <= LONGEST_CHECKED) assert.ok(fits(text), `does not fit: ${JSON.stringify(text)}`);
}

async function inThread(constraint: Constraint): Promise<void> {
  const thread = await GrammarThread.start(smallSetup(constraint), limits);
  try {
    await thread.ask({ kind: 'begin', text: thread.newText() });
  } catch (caught) {
    // A mask may take longer than it may.
    if (!(caught instanceof CutlayerError) || caught.code !== 'LIMIT_EXCEEDED') throw caught;
  } finally {
    await thread.close();
  }
}

/** Parts of a grammar with its repeats written out. */
const partsOf = ({ rules, root }: Grammar): number => [root, ...rules.values()].reduce((sum, one) => sum + parts(one), 0);

function parts(expression: Expression): number {
  switch (expression.is) {
    case 'text':
      return 1 + expression.text.length;
    case 'characters':
      return 1 + expression.ranges.length;
    case 'repeat':
      return parts(expression.of) * Math.max(1, expression.max ?? expression.min + 1);
    case 'rule':
      return 1;
    default:
      return expression.of.reduce((sum, one) => sum + parts(one), 1);
  }
}

/** A whole number that depends on every byte of an input. */
export const checksum = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7);
