/** A JSON schema as a grammar of JSON texts: all of them fit it. */
import { CutlayerError } from '../../../../../src/errors.js';
import { choice, countParts, type Expression, type Grammar, nothing, rule, text } from '../expressions/expression.js';
import { finiteTexts } from '../expressions/finite.js';
import { arrayExpression } from './arrays.js';
import { overlapping } from './exclusive.js';
import { jsonRules } from './json.js';
import { mergeKeywords, withoutAllOf } from './merge.js';
import {
  below,
  isList,
  isText,
  type Keywords,
  keywordsOf,
  keywordValue,
  type TypeName,
  typeNames,
  typeOfKeyword,
  wrongSchema,
} from './node.js';
import { numberExpression } from './numbers.js';
import { objectExpression } from './objects.js';
import { stringExpression } from './strings.js';

/** Bounds of a schema. */
export const MAX_SCHEMA_BYTES = 65_536;
const DEEPEST = 64;
const MOST_RULES = 20_000;
const MOST_VALUES = 2000;
/** Characters and classes of a grammar, repeats not written out. */
const MOST_PARTS = 200_000;

/**
 * @param schema Parsed JSON.
 * @throws CutlayerError INVALID_ARGUMENT naming keyword and JSON pointer, LIMIT_EXCEEDED
 */
export function schemaGrammar(schema: unknown): Grammar {
  const bytes = Buffer.byteLength(JSON.stringify(schema) ?? '');
  if (bytes > MAX_SCHEMA_BYTES)
    throw new CutlayerError('LIMIT_EXCEEDED', `schema: expected at most ${MAX_SCHEMA_BYTES} bytes, got ${bytes}; make it smaller`);
  const builder = new SchemaBuilder(schema);
  const root = builder.whole();
  const grammar = finiteTexts({ rules: builder.rules, root });
  if (grammar !== undefined) return grammar;
  throw wrongSchema('#', 'no finite text fits it; some keyword leaves no value, or needs the schema itself again');
}

/** Any JSON object. */
export const jsonObjectGrammar = (): Grammar => ({ rules: new Map(Object.entries(jsonRules)), root: rule('object') });

class SchemaBuilder {
  readonly rules = new Map<string, Expression>(Object.entries(jsonRules));
  readonly #document: unknown;
  /** References whose schemas are read later: a schema may refer to itself, or through many. */
  readonly #pending: { readonly to: string; readonly schema: unknown }[] = [];
  #depth = 0;
  #parts = 0;

  constructor(document: unknown) {
    this.#document = document;
  }

  /** Of the document, with all that it refers to. */
  whole(): Expression {
    const root = this.value(this.#document, '#');
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop())
      this.#named(nameOf(next.to), this.value(next.schema, next.to));
    return root;
  }

  define(expression: Expression): Expression {
    if (expression.is === 'rule') return expression;
    return this.#named(`own ${this.rules.size}`, this.#counted(expression));
  }

  value(schema: unknown, pointer: string): Expression {
    if (schema === true) return rule('value');
    if (schema === false) return nothing;
    if (++this.#depth > DEEPEST)
      throw new CutlayerError('LIMIT_EXCEEDED', `schema: ${pointer}: expected at most ${DEEPEST} levels, got more`);
    const made = this.#node(withoutAllOf(keywordsOf(schema, pointer), pointer), pointer);
    this.#depth--;
    return made;
  }

  #named(name: string, expression: Expression): Expression {
    if (this.rules.size >= MOST_RULES)
      throw new CutlayerError('LIMIT_EXCEEDED', `schema: expected at most ${MOST_RULES} rules, got more; make it smaller`);
    this.rules.set(name, expression);
    return rule(name);
  }

  #node(node: Keywords, pointer: string): Expression {
    if ('$ref' in node) return this.#reference(node, pointer);
    for (const name of ['anyOf', 'oneOf']) if (name in node) return this.#branches(node, name, pointer);
    if ('enum' in node || 'const' in node) return this.#values(node, pointer);
    const types = this.#types(node, pointer);
    const used = types.map((type) => this.#counted(this.#typed(type, node, pointer)));
    return types.length === typeNames.length - 1 && Object.keys(node).length === 0 ? rule('value') : choice(...used);
  }

  /** What fits the keywords that are for one type. */
  #typed(type: TypeName, node: Keywords, pointer: string): Expression {
    switch (type) {
      case 'object':
        return objectExpression(node, pointer, this);
      case 'array':
        return arrayExpression(node, pointer, this);
      case 'string':
        return stringExpression(node, pointer);
      case 'number':
      case 'integer':
        return numberExpression(node, pointer, type === 'integer');
      default:
        return rule(type);
    }
  }

  #types(node: Keywords, pointer: string): readonly TypeName[] {
    const { type } = node;
    if (type === undefined) {
      const meant = new Set(Object.keys(node).flatMap((name) => typeOfKeyword[name]?.[0] ?? []));
      return meant.size > 0 ? [...meant] : typeNames.filter((name) => name !== 'integer');
    }
    const types = [type].flat();
    const known = types.filter((name): name is TypeName => typeNames.some((one) => one === name));
    if (types.length === 0 || known.length < types.length)
      throw wrongSchema(below(pointer, 'type'), `expected one or some of ${typeNames.join(', ')}`);
    return known.includes('number') ? known.filter((name) => name !== 'integer') : known;
  }

  #values(node: Keywords, pointer: string): Expression {
    const { enum: given, const: only, type: _, ...others } = node;
    const beside = Object.keys(others)[0];
    if (beside !== undefined)
      throw wrongSchema(below(pointer, beside), `${beside} cannot be enforced beside enum or const; leave out the values that it refuses`);
    const values = 'const' in node ? [only] : given;
    if (!isList(values) || values.length === 0) throw wrongSchema(below(pointer, 'enum'), 'expected a list of values');
    if (values.length > MOST_VALUES)
      throw new CutlayerError(
        'LIMIT_EXCEEDED',
        `schema: ${below(pointer, 'enum')}: expected at most ${MOST_VALUES} values, got ${values.length}`,
      );
    if ('const' in node && 'enum' in node) throw wrongSchema(below(pointer, 'enum'), 'enum cannot be enforced beside const; leave it out');
    if (!values.every(isWritten))
      throw wrongSchema(below(pointer, 'const' in node ? 'const' : 'enum'), 'expected values that JSON can write; a number is too large');
    const types = 'type' in node ? this.#types(node, pointer) : typeNames;
    const allowed = values.filter((value) => types.some((type) => hasType(value, type)));
    return this.#counted(choice(...allowed.map((value) => text(JSON.stringify(value)))));
  }

  /** What stands in several branches is made for each of them. */
  #counted(made: Expression): Expression {
    this.#parts += countParts(made);
    if (this.#parts <= MOST_PARTS) return made;
    throw new CutlayerError('LIMIT_EXCEEDED', `schema: expected a grammar of at most ${MOST_PARTS} characters, got more; make it smaller`);
  }

  /** Branches of `anyOf` or `oneOf`, with the keywords beside them in each. */
  #branches(node: Keywords, name: string, pointer: string): Expression {
    const { [name]: given, ...own } = node;
    const at = below(pointer, name);
    if (!isList(given) || given.length === 0) throw wrongSchema(at, 'expected a list of schemas');
    const both = name === 'oneOf' ? overlapping(given, (schema) => this.#seen(schema)) : undefined;
    if (both !== undefined)
      throw wrongSchema(
        at,
        `oneOf cannot be enforced: a value may fit branches ${both.join(' and ')}; tell them apart by type, const or a required property, or write anyOf`,
      );
    const beside = Object.keys(own).length > 0;
    return choice(
      ...given.map((branch, index) => {
        const where = below(at, index);
        if (!beside || branch === false) return this.value(branch, where);
        if (branch === true) return this.#node(own, pointer);
        return this.#node(mergeKeywords(own, withoutAllOf(keywordsOf(branch, where), where), where), where);
      }),
    );
  }

  /** A schema, or the one that it refers to, for a look at its keywords. */
  #seen(schema: unknown, steps = 0): unknown {
    const { $ref: to } = (schema ?? {}) as { readonly $ref?: unknown };
    return isText(to) && steps < DEEPEST ? this.#seen(this.#found(to, '#'), steps + 1) : schema;
  }

  #reference({ $ref: _, ...others }: Keywords, pointer: string): Expression {
    const to = keywordValue({ $ref: _ }, '$ref', pointer, isText, 'a reference') ?? '';
    const beside = Object.keys(others)[0];
    if (beside !== undefined)
      throw wrongSchema(below(pointer, beside), `${beside} cannot be enforced beside $ref; write it where the reference leads`);
    const name = nameOf(to);
    if (this.rules.has(name)) return rule(name);
    this.#pending.push({ to, schema: this.#found(to, below(pointer, '$ref')) });
    return this.#named(name, nothing);
  }

  #found(to: string, pointer: string): unknown {
    if (!/^#(?:\/|$)/.test(to))
      throw wrongSchema(pointer, 'expected a reference within the document, as #/$defs/NAME; others are not fetched');
    let at = this.#document;
    for (const step of to.split('/').slice(1)) {
      const key = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
      at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Readonly<Record<string, unknown>>)[key] : undefined;
    }
    if (at === undefined) throw wrongSchema(pointer, 'the document has nothing at this reference');
    return at;
  }
}

/** The rule of a reference. */
const nameOf = (to: string): string => `ref ${to}`;

function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

/** Whether all numbers of a value are finite: JSON writes others as null. */
function isWritten(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isWritten);
}

function hasType(value: unknown, type: TypeName): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
