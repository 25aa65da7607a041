/** What a text is held to. It stays with the client: no message has it. */
import { CutlayerError } from '../../../../src/errors.js';
import { choice, type Grammar, sequence, text } from './expressions/expression.js';
import { finiteTexts } from './expressions/finite.js';
import { symbolsOf } from './expressions/symbols.js';
import { parseRegex } from './regex/parse-regex.js';
import { jsonObjectGrammar, schemaGrammar } from './schema/schema-grammar.js';

/** One of them. */
export type Constraint =
  /** The text is JSON that a JSON schema (2020-12) accepts, between two other texts. */
  | { readonly kind: 'schema'; readonly schema: unknown; readonly before?: string; readonly after?: string }
  /** The text is any JSON object. */
  | { readonly kind: 'object' }
  /** A regular expression of JavaScript (flag `u`) matches the whole text. */
  | { readonly kind: 'regex'; readonly pattern: string }
  /** The text is one of these. */
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

/** Bounds of choices. */
const MOST_CHOICES = 1000;
const LONGEST_CHOICE = 4096;

/**
 * The texts that a constraint allows. Of the constraint, messages repeat only names of keywords and
 * properties.
 * @throws CutlayerError INVALID_ARGUMENT (naming keyword and JSON pointer, or a part of a regular
 *   expression), LIMIT_EXCEEDED
 */
export function constraintGrammar(constraint: Constraint): Grammar {
  switch (constraint.kind) {
    case 'schema':
      return withAround(schemaGrammar(constraint.schema), constraint);
    case 'object':
      return jsonObjectGrammar();
    case 'regex':
      return regexGrammar(constraint.pattern);
    case 'choice':
      return choiceGrammar(constraint.choices);
  }
}

function withAround({ rules, root }: Grammar, { before = '', after = '' }: { readonly before?: string; readonly after?: string }): Grammar {
  return { rules, root: sequence(text(before), root, text(after)) };
}

function regexGrammar(pattern: string): Grammar {
  const root = choice(...parseRegex(pattern, 'regex').map(({ expression }) => expression));
  const grammar = finiteTexts({ rules: new Map(), root });
  if (grammar !== undefined) return grammar;
  throw new CutlayerError('INVALID_ARGUMENT', 'regex: no text matches it; control characters other than tab and line ends are not made');
}

function choiceGrammar(choices: readonly string[]): Grammar {
  const wrong = (says: string) => new CutlayerError('INVALID_ARGUMENT', `choice: ${says}`);
  if (choices.length === 0 || choices.length > MOST_CHOICES) throw wrong(`expected 1 to ${MOST_CHOICES} texts, got ${choices.length}`);
  const long = choices.find(({ length }) => length > LONGEST_CHOICE);
  if (long !== undefined) throw wrong(`expected texts of at most ${LONGEST_CHOICE} characters, got one of ${long.length}`);
  if (!choices.every((one) => one === String(Buffer.from(one)))) throw wrong('expected texts without halves of surrogate pairs');
  if (choices.some((one) => symbolsOf(Buffer.from(one)) === undefined))
    throw wrong('expected texts without control characters other than tab and line ends');
  return { rules: new Map(), root: sharedBeginnings([...new Set(choices)]) };
}

/** The texts as a tree, so that many of them stay cheap. @param texts each once */
function sharedBeginnings(texts: readonly string[]): ReturnType<typeof choice> {
  const groups = new Map<string, string[]>();
  for (const one of texts) {
    const first = Array.from(one.slice(0, 2))[0] ?? '';
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [one]);
    else group.push(one);
  }
  return choice(
    ...Array.from(groups.values(), (members) => {
      const shared = sharedBeginning(members);
      if (members.length === 1) return text(shared);
      return sequence(text(shared), sharedBeginnings(members.map((one) => one.slice(shared.length))));
    }),
  );
}

/** What all texts begin with, in whole characters. */
function sharedBeginning([first = '', ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) {
    let same = 0;
    while (same < length && first[same] === other[same]) same++;
    length = same;
  }
  // A pair of surrogates is not parted.
  const half = length < first.length && /[\ud800-\udbff]/.test(first[length - 1] ?? '');
  return first.slice(0, half ? length - 1 : length);
}
