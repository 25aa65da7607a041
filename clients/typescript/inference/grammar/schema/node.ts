/** A part of a schema: its keywords, checked against the table, and where it stands. */
import { CutlayerError } from '../../../../../src/errors.js';
import { isKeyword, keywordTable } from './keyword-table.js';

/** An object of keywords. */
export type Keywords = Readonly<Record<string, unknown>>;

/** Values' types. `integer` is a number without a fraction. */
export const typeNames = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
export type TypeName = (typeof typeNames)[number];

/** Types that a keyword is for; others are for every value. */
export const typeOfKeyword: Readonly<Record<string, readonly TypeName[]>> = {
  properties: ['object'],
  required: ['object'],
  additionalProperties: ['object'],
  minProperties: ['object'],
  maxProperties: ['object'],
  items: ['array'],
  prefixItems: ['array'],
  minItems: ['array'],
  maxItems: ['array'],
  uniqueItems: ['array'],
  minLength: ['string'],
  maxLength: ['string'],
  pattern: ['string'],
  format: ['string'],
  minimum: ['number', 'integer'],
  maximum: ['number', 'integer'],
  exclusiveMinimum: ['number', 'integer'],
  exclusiveMaximum: ['number', 'integer'],
  multipleOf: ['number', 'integer'],
};

/** A message that names a keyword by its JSON pointer, and does not repeat its value. */
export const wrongSchema = (pointer: string, says: string): CutlayerError =>
  new CutlayerError('INVALID_ARGUMENT', `schema: ${pointer}: ${says}`, { details: { pointer } });

/** Adds a step to a JSON pointer. */
export const below = (pointer: string, ...steps: readonly (string | number)[]): string =>
  [pointer, ...steps.map((step) => String(step).replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');

/**
 * The keywords that have an effect.
 * @throws CutlayerError INVALID_ARGUMENT: no schema, an unknown keyword or one that is refused
 */
export function keywordsOf(schema: unknown, pointer: string): Keywords {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    throw wrongSchema(pointer, 'expected a schema: an object of keywords, or true or false');
  const kept: [string, unknown][] = [];
  for (const [name, value] of Object.entries(schema)) {
    const at = below(pointer, name);
    if (!isKeyword(name)) throw wrongSchema(at, 'this keyword is unknown and would not be enforced; leave it out');
    const { treatment, says } = keywordTable[name];
    if (treatment === 'refused') throw wrongSchema(at, `${name} cannot be enforced; ${says}`);
    if (name === '$id' && pointer !== '#') throw wrongSchema(at, '$id cannot be enforced inside a schema; leave it out');
    if (treatment !== 'annotation' && name !== '$defs' && name !== 'definitions') kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

/** A keyword's value, checked. @throws CutlayerError INVALID_ARGUMENT */
export function keywordValue<T>(
  node: Keywords,
  name: string,
  pointer: string,
  holds: (value: unknown) => value is T,
  says: string,
): T | undefined {
  const value = node[name];
  if (value === undefined) return undefined;
  if (!holds(value)) throw wrongSchema(below(pointer, name), `expected ${says}`);
  return value;
}

export const isObject = (value: unknown): value is Keywords => typeof value === 'object' && value !== null && !Array.isArray(value);
export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
export const isText = (value: unknown): value is string => typeof value === 'string';
export const isNumber = (value: unknown): value is number => Number.isFinite(value);
