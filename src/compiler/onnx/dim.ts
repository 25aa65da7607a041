/**
 * Dimensions that may be unknown until run time. A dimension is a number or a polynomial with
 * integer coefficients in named symbols (`B`, `B*S+P`). The form is canonical, so equal dimensions
 * have equal text.
 */
import { CutlayerError } from '../../errors.js';

/** A dimension with at least one symbol; equal canonical `text` means equal dimensions. */
export interface SymbolicDim {
  readonly text: string;
  /** Coefficient by monomial (its sorted symbols joined by `*`, or `''`), the leading one first. */
  readonly terms: ReadonlyMap<string, number>;
}

/** A dimension: a number of elements, or a {@link SymbolicDim}. */
export type Dim = number | SymbolicDim;

/** The dimensions of a value, outermost first; empty for a scalar. */
export type Shape = readonly Dim[];

const SYMBOL = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * A dimension known only at run time, by its name.
 * @throws CutlayerError INVALID_GRAPH when the name is not an identifier
 */
export function symbol(name: string): SymbolicDim {
  if (!SYMBOL.test(name)) throw new CutlayerError('INVALID_GRAPH', `symbol: expected an identifier, got "${name}"`);
  return { text: name, terms: new Map([[name, 1]]) };
}

/** The name of a dimension that is exactly one symbol, else undefined. */
export function symbolName(dim: Dim): string | undefined {
  return typeof dim !== 'number' && SYMBOL.test(dim.text) ? dim.text : undefined;
}

/** The canonical text of a dimension: `7`, `B`, `B*S+P`. */
export function dimText(dim: Dim): string {
  return typeof dim === 'number' ? String(dim) : dim.text;
}

/** The canonical text of a shape: `[B, S, 768]`. */
export function shapeText(shape: Shape): string {
  return `[${shape.map(dimText).join(', ')}]`;
}

export function dimsEqual(a: Dim, b: Dim): boolean {
  return a === b || (typeof a !== 'number' && typeof b !== 'number' && a.text === b.text);
}

export function shapesEqual(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dimsEqual(dim, b[axis]!));
}

export function addDims(...dims: readonly Dim[]): Dim {
  if (dims.every((dim) => typeof dim === 'number')) return dims.reduce((sum, dim) => sum + dim, 0);
  const sum = new Map<string, number>();
  for (const dim of dims) for (const [monomial, coefficient] of termsOf(dim)) sum.set(monomial, (sum.get(monomial) ?? 0) + coefficient);
  return canonical(sum);
}

export function subtractDims(a: Dim, b: Dim): Dim {
  return dimsEqual(a, b) ? 0 : addDims(a, typeof b === 'number' ? -b : multiplyDims(-1, b));
}

/** The product of dimensions; 1 for none. */
export function multiplyDims(...dims: readonly Dim[]): Dim {
  const symbolic = dims.filter((dim) => typeof dim !== 'number');
  const factor = dims.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1);
  if (symbolic.length === 0) return factor;
  if (symbolic.length === 1 && factor === 1) return symbolic[0]!;
  let product = new Map([['', factor]]);
  for (const dim of symbolic) {
    const next = new Map<string, number>();
    for (const [left, a] of product) {
      for (const [right, b] of dim.terms) {
        const monomial = [...symbolsOf(left), ...symbolsOf(right)].sort().join('*');
        next.set(monomial, (next.get(monomial) ?? 0) + a * b);
      }
    }
    product = next;
  }
  return canonical(product);
}

/**
 * The dimension of a {@link dimText}.
 * @throws CutlayerError INVALID_GRAPH for a factor that is no identifier
 */
export function parseDim(text: string): Dim {
  const terms = text.split(/(?=[+-])/).map((term) => {
    const [, sign, coefficient, monomial] = TERM.exec(term) ?? [];
    const factors = symbolsOf(monomial ?? '').map(symbol);
    return multiplyDims((sign === '-' ? -1 : 1) * Number(coefficient || 1), ...factors);
  });
  return addDims(...terms);
}

/** A sign, a coefficient and a monomial; one of the last two may be absent. */
const TERM = /^([+-]?)([0-9]*)\*?(.*)$/;

/** `a / b` if there is no remainder for any value of the symbols, else undefined. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  const divisor = leadingTerm(b);
  if (divisor === undefined) return undefined;
  if (dimsEqual(a, b)) return 1;
  let quotient: Dim = 0;
  let rest: Dim = a;
  for (;;) {
    const leading = leadingTerm(rest);
    if (leading === undefined) return quotient;
    const monomial = divideMonomials(leading.monomial, divisor.monomial);
    const coefficient = leading.coefficient / divisor.coefficient;
    if (monomial === undefined || !Number.isInteger(coefficient)) return undefined;
    const term = canonical(new Map([[monomial, coefficient]]));
    quotient = addDims(quotient, term);
    rest = subtractDims(rest, multiplyDims(term, b));
  }
}

const symbolsOf = (monomial: string): readonly string[] => (monomial === '' ? [] : monomial.split('*'));

const termsOf = (dim: Dim): ReadonlyMap<string, number> => (typeof dim === 'number' ? new Map([['', dim]]) : dim.terms);

/** Higher degree first, then by name: the order of the text and of the division. */
function compareMonomials(a: string, b: string): number {
  const byDegree = symbolsOf(b).length - symbolsOf(a).length;
  return byDegree !== 0 ? byDegree : a < b ? -1 : a > b ? 1 : 0;
}

function canonical(terms: ReadonlyMap<string, number>): Dim {
  const kept = [...terms].filter(([, coefficient]) => coefficient !== 0).sort(([a], [b]) => compareMonomials(a, b));
  if (kept.length === 0) return 0;
  if (kept.length === 1 && kept[0]![0] === '') return kept[0]![1];
  const text = kept.map(termText).join('+').replaceAll('+-', '-');
  return { text, terms: new Map(kept) };
}

function termText([monomial, coefficient]: readonly [string, number]): string {
  if (monomial === '') return String(coefficient);
  return Math.abs(coefficient) === 1 ? `${coefficient < 0 ? '-' : ''}${monomial}` : `${coefficient}*${monomial}`;
}

function leadingTerm(dim: Dim): { readonly monomial: string; readonly coefficient: number } | undefined {
  const [first] = termsOf(dim); // terms are in this order
  return first === undefined || first[1] === 0 ? undefined : { monomial: first[0], coefficient: first[1] };
}

function divideMonomials(a: string, b: string): string | undefined {
  const left = [...symbolsOf(a)];
  for (const name of symbolsOf(b)) {
    const at = left.indexOf(name);
    if (at < 0) return undefined;
    left.splice(at, 1);
  }
  return left.join('*');
}
