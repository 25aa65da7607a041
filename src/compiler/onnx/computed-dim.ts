/**
 * Dimensions that a graph computes from others at run time. Each is a symbol, and its name has its
 * definition: `S_over_2`, `positive_P_plus_S_over_4_minus_511_end`.
 */
import { CutlayerError } from '../../errors.js';
import { type Dim, dimText, parseDim, symbol, symbolName } from './dim.js';

/** How to compute a size: one rounded down after a division, or the larger one of two. */
export interface SizeDefinition {
  readonly op: 'Div' | 'Max';
  readonly operands: readonly [Dim, Dim];
}

const SHARE = /^(.+)_over_([1-9][0-9]*)$/;

/**
 * `dim / parts` rounded down, of a number or one symbol.
 * @throws CutlayerError INVALID_GRAPH for any other dimension
 */
export function shareOf(dim: Dim, parts: number): Dim {
  if (parts === 1) return dim;
  if (typeof dim === 'number') return Math.floor(dim / parts);
  const name = symbolName(dim);
  if (name === undefined) throw new CutlayerError('INVALID_GRAPH', `share: expected a number or one symbol, got ${dim.text}`);
  return symbol(`${name}_over_${parts}`);
}

const POSITIVE = /^positive_(.+)_end$/;

/** Operators of a dimension's text, and what stands for each in a name. */
const OPERATORS = { '+': '_plus_', '-': '_minus_', '*': '_times_' } as const;

/**
 * A dimension, or 0 where it is negative.
 * @throws CutlayerError INVALID_GRAPH when a symbol's name has the word of an operator in it
 */
export function positivePart(dim: Dim): Dim {
  if (typeof dim === 'number') return Math.max(0, dim);
  const name = `positive_${dim.text.replace(/[-+*]/g, (operator) => OPERATORS[operator as keyof typeof OPERATORS])}_end`;
  const [, defined] = sizeDefinition(name)?.operands ?? [];
  if (defined === undefined || dimText(defined) !== dim.text) {
    throw new CutlayerError('INVALID_GRAPH', `positive part: ${dim.text} has a symbol whose name reads as an operator`);
  }
  return symbol(name);
}

/** What a symbol of this name is computed from; undefined for one that is read from an input. */
export function sizeDefinition(name: string): SizeDefinition | undefined {
  const positive = POSITIVE.exec(name);
  if (positive !== null) return { op: 'Max', operands: [0, parseDim(withOperators(positive[1]!))] };
  const share = SHARE.exec(name);
  return share === null ? undefined : { op: 'Div', operands: [symbol(share[1]!), Number(share[2])] };
}

function withOperators(words: string): string {
  return Object.entries(OPERATORS).reduce((text, [operator, word]) => text.replaceAll(word, operator), words);
}
