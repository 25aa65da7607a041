/**
 * A regular expression as an expression of a grammar: JavaScript's, with the flag `u`. What is not
 * regular (a backreference) or looks around is refused.
 */
import { CutlayerError } from '../../../../../src/errors.js';
import { characters, choice, type Expression, empty, repeat, sequence, text } from '../expressions/expression.js';
import { classRanges } from './class-ranges.js';

/** Bounds of a pattern. */
export const LONGEST_PATTERN = 2048;
const MOST_TIMES = 1000;
const MOST_CLASSES = 64;
const DEEPEST = 64;

/** One of the alternatives at the top of a pattern. */
export interface Alternative {
  readonly expression: Expression;
  /** Whether `^` begins it. */
  readonly fromStart: boolean;
  /** Whether `$` ends it. */
  readonly toEnd: boolean;
}

/**
 * @param where Names the pattern in messages. They do not repeat the pattern.
 * @throws CutlayerError INVALID_ARGUMENT (no regular expression, or a part that is refused),
 *   LIMIT_EXCEEDED
 */
export function parseRegex(source: string, where: string): readonly Alternative[] {
  if (source.length > LONGEST_PATTERN)
    throw new CutlayerError('LIMIT_EXCEEDED', `${where}: expected at most ${LONGEST_PATTERN} characters, got ${source.length}`);
  try {
    new RegExp(source, 'u');
  } catch {
    throw new CutlayerError('INVALID_ARGUMENT', `${where}: expected a regular expression of JavaScript, valid with the flag u`);
  }
  return new Parser(source, where).alternatives();
}

/** Characters that stand for themselves by an escape, and those that an escape makes. */
const SYNTAX = '^$\\.*+?()[]{}|/-';
const CONTROL: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f', 0: '\0' };

/** Reads a valid pattern; its syntax was checked by the engine. */
class Parser {
  readonly #source: string;
  readonly #where: string;
  readonly #classes = new Map<string, Expression>();
  #at = 0;
  #depth = 0;

  constructor(source: string, where: string) {
    this.#source = source;
    this.#where = where;
  }

  alternatives(): readonly Alternative[] {
    const found: Alternative[] = [];
    do {
      const fromStart = this.#take('^');
      const expression = this.#sequence();
      const toEnd = this.#take('$');
      found.push({ expression, fromStart, toEnd });
    } while (this.#take('|'));
    if (this.#at < this.#source.length) throw this.#refused('^ or $ inside it; they may begin and end it');
    return found;
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#source.length && !'|)$'.includes(this.#source[this.#at]!)) parts.push(this.#quantified(this.#atom()));
    return parts.length === 0 ? empty : sequence(...parts);
  }

  #quantified(atom: Expression): Expression {
    const quantifier = this.#match(/[*+?]|\{(\d+)(,?)(\d*)\}/uy);
    if (quantifier === undefined) return atom;
    this.#take('?'); // lazy: the same texts
    if (quantifier[0] === '*') return repeat(atom, 0);
    if (quantifier[0] === '+') return repeat(atom, 1);
    if (quantifier[0] === '?') return repeat(atom, 0, 1);
    const min = Number(quantifier[1]);
    const max = quantifier[2] === '' ? min : quantifier[3] === '' ? undefined : Number(quantifier[3]);
    if (Math.max(min, max ?? 0) > MOST_TIMES)
      throw new CutlayerError('LIMIT_EXCEEDED', `${this.#where}: expected at most ${MOST_TIMES} times, got ${Math.max(min, max ?? 0)}`);
    return repeat(atom, min, max);
  }

  #atom(): Expression {
    const group = this.#match(/\((?:\?(?:(<?[=!])|([a-z]*-?[a-z]*):|<[^>=!][^>]*>))?/uy);
    if (group !== undefined) return this.#group(group[1], group[2]);
    const set = this.#match(/\[(?:\\.|[^\]\\])*\]|\\[dDsSwW]|\\[pP]\{[^}]*\}|\./uy);
    if (set !== undefined) return this.#class(set[0]);
    const escaped = this.#match(/\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|c([A-Za-z])|(.))/uy);
    if (escaped !== undefined) return this.#escape(escaped);
    const character = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    if (character === '^') throw this.#refused('^ inside it; it may begin it');
    this.#at += character.length;
    return text(character);
  }

  #group(looks: string | undefined, flags: string | undefined): Expression {
    if (looks !== undefined) throw this.#refused('lookahead or lookbehind');
    if (flags !== undefined && flags !== '') throw this.#refused('flags of a group');
    if (++this.#depth > DEEPEST)
      throw new CutlayerError('LIMIT_EXCEEDED', `${this.#where}: expected groups of at most ${DEEPEST} levels, got more`);
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    if (!this.#take(')')) throw this.#refused('$ inside it; it may end it');
    this.#depth--;
    return choice(...parts);
  }

  #class(source: string): Expression {
    const known = this.#classes.get(source);
    if (known !== undefined) return known;
    if (this.#classes.size === MOST_CLASSES)
      throw new CutlayerError('LIMIT_EXCEEDED', `${this.#where}: expected at most ${MOST_CLASSES} classes of characters, got more`);
    const made = characters(...classRanges(source));
    this.#classes.set(source, made);
    return made;
  }

  #escape([whole, long, short, byte, control, character = '']: RegExpExecArray): Expression {
    const code = long ?? short ?? byte;
    if (code !== undefined) {
      const point = Number.parseInt(code, 16);
      if (point >= 0xd800 && point <= 0xdfff) throw this.#refused('half of a surrogate pair; write the character');
      return text(String.fromCodePoint(point));
    }
    if (control !== undefined) return text(String.fromCharCode(control.charCodeAt(0) & 31));
    if (SYNTAX.includes(character)) return text(character);
    if (Object.hasOwn(CONTROL, character)) return text(CONTROL[character]!);
    throw this.#refused(/[bB]/.test(character) ? 'a border of words' : /[1-9k]/.test(character) ? 'a reference to a group' : whole);
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at += character.length;
    return true;
  }

  /** @param sticky with the flag `y` */
  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#source) ?? undefined;
    if (found !== undefined) this.#at += found[0].length;
    return found;
  }

  #refused(what: string): CutlayerError {
    return new CutlayerError('INVALID_ARGUMENT', `${this.#where}: a constraint cannot have ${what}; write the pattern without it`);
  }
}
