/** Objects: properties in their order, then others. */
import { CutlayerError } from '../../../../../src/errors.js';
import {
  characters,
  choice,
  type Expression,
  empty,
  nothing,
  repeat,
  rule,
  sequence,
  text,
  withoutRanges,
} from '../expressions/expression.js';
import { closing, opening, plainRanges, punctuation, stringOf } from './json.js';
import { below, isCount, isList, isObject, isText, type Keywords, keywordValue, wrongSchema } from './node.js';

/** ajv passes over a property of this name. */
const UNSEEN_NAME = '__proto__';

/** Longest name beside further ones, which are told apart from it by character. */
const LONGEST_NAME = 256;

/** What an object is made with. */
export interface ObjectBuilder {
  /** Of a schema. */
  value(schema: unknown, pointer: string): Expression;
  /** Adds a rule of its own name. */
  define(expression: Expression): Expression;
}

interface Property {
  readonly name: string;
  readonly value: Expression;
  readonly required: boolean;
}

/** @throws CutlayerError INVALID_ARGUMENT */
export function objectExpression(node: Keywords, pointer: string, builder: ObjectBuilder): Expression {
  const declared = keywordValue(node, 'properties', pointer, isObject, 'an object of schemas') ?? {};
  const required = keywordValue(node, 'required', pointer, isNames, 'a list of names') ?? [];
  const { additionalProperties: others = !('properties' in node) } = node;
  const places = below(pointer, 'additionalProperties');
  const unseen = [...Object.keys(declared), ...required].includes(UNSEEN_NAME);
  if (unseen) throw wrongSchema(pointer, `a property ${UNSEEN_NAME} cannot be checked; give it another name`);
  const undeclared = required.filter((name) => !Object.hasOwn(declared, name));
  const properties: readonly Property[] = [
    ...Object.entries(declared).map(([name, schema]) => ({
      name,
      value: builder.value(schema, below(pointer, 'properties', name)),
      required: required.includes(name),
    })),
    ...undeclared.map((name) => ({
      name,
      value: builder.value(others === false && !('additionalProperties' in node) ? true : others, places),
      required: true,
    })),
  ];
  requireCounts(node, pointer, properties, others !== false);
  if (properties.length === 0 && others === true) return rule('object');
  const further =
    others === false ? undefined : furtherOf(properties, builder.value(others, places), builder, below(pointer, 'properties'));
  return sequence(opening('{'), membersOf(properties, further, builder), closing('}'));
}

const isNames = (value: unknown): value is readonly string[] => isList(value) && value.every(isText);

function requireCounts(node: Keywords, pointer: string, properties: readonly Property[], open: boolean): void {
  const min = keywordValue(node, 'minProperties', pointer, isCount, 'a whole number of 0 or more') ?? 0;
  const max = keywordValue(node, 'maxProperties', pointer, isCount, 'a whole number of 0 or more');
  if (min > properties.filter(({ required }) => required).length)
    throw wrongSchema(below(pointer, 'minProperties'), 'minProperties cannot be enforced beyond the required ones; name them in required');
  if (max !== undefined && (open || max < properties.length))
    throw wrongSchema(below(pointer, 'maxProperties'), 'maxProperties cannot be enforced where there may be more; name them in properties');
}

/** A rule for what may follow each property: of a first one and of a later one. */
function membersOf(properties: readonly Property[], further: Expression | undefined, builder: ObjectBuilder): Expression {
  const comma = punctuation(',');
  let first: Expression = further === undefined ? empty : repeat(sequence(further, repeat(sequence(comma, further), 0)), 0, 1);
  let later: Expression = further === undefined ? empty : repeat(sequence(comma, further), 0);
  for (const { name, value, required } of properties.toReversed()) {
    const member = sequence(text(JSON.stringify(name)), punctuation(':'), value);
    const rest = builder.define(later);
    first = builder.define(choice(sequence(member, rest), ...(required ? [] : [first])));
    later = choice(sequence(comma, member, rest), ...(required ? [] : [rest]));
  }
  return first;
}

/** A member with none of the properties' names. */
function furtherOf(properties: readonly Property[], value: Expression, builder: ObjectBuilder, pointer: string): Expression {
  const long = properties.find(({ name }) => name.length > LONGEST_NAME);
  if (long !== undefined)
    throw new CutlayerError(
      'LIMIT_EXCEEDED',
      `schema: ${pointer}: expected names of at most ${LONGEST_NAME} characters beside further ones, got one of ${long.name.length}; write additionalProperties: false`,
    );
  const key = otherNames(
    properties.map(({ name }) => Array.from(name)),
    builder,
  );
  return sequence(stringOf(key), punctuation(':'), builder.define(value));
}

/** Names that are none of the given ones, of characters that are not escaped. */
function otherNames(names: readonly (readonly string[])[], builder: ObjectBuilder): Expression {
  const firsts = [...new Set(names.flatMap(([character]) => character ?? []))].filter(isPlain);
  const free = characters(
    ...withoutRanges(
      plainRanges,
      firsts.map((one) => [one.codePointAt(0)!, one.codePointAt(0)!]),
    ),
  );
  const any = repeat(characters(...plainRanges), 0);
  const end = names.some((name) => name.length === 0) ? nothing : empty;
  const branches = firsts.map((one) =>
    sequence(
      text(one),
      otherNames(
        names.filter(([character]) => character === one).map((name) => name.slice(1)),
        builder,
      ),
    ),
  );
  return builder.define(choice(end, sequence(free, any), ...branches));
}

const isPlain = (character: string): boolean =>
  plainRanges.some(([from, to]) => from <= character.codePointAt(0)! && character.codePointAt(0)! <= to);
