/**
 * Every keyword of JSON schema (2020-12) and what becomes of it. No keyword is left out in silence:
 * what has no row is refused, and so is what has a row that says so.
 */

/** What becomes of a keyword. */
export interface KeywordRow {
  /** Enforced as it is, rewritten to what can be, refused, or without an effect on values. */
  readonly treatment: 'enforced' | 'rewritten' | 'refused' | 'annotation';
  readonly says: string;
}

const enforced = (says = ''): KeywordRow => ({ treatment: 'enforced', says });
const rewritten = (says: string): KeywordRow => ({ treatment: 'rewritten', says });
const refused = (says: string): KeywordRow => ({ treatment: 'refused', says });
const annotation: KeywordRow = { treatment: 'annotation', says: '' };

/** By keyword. A refusal says what to do instead. */
export const keywordTable = {
  type: enforced('without it, the types that the other keywords are for'),
  enum: enforced('beside `type` alone'),
  const: enforced('beside `type` alone'),
  properties: enforced('in their order'),
  required: enforced('a name that `properties` lacks comes after them, with any value that `additionalProperties` allows'),
  additionalProperties: enforced('absent, an object with `properties` has no others; further names have no escapes'),
  items: enforced(),
  prefixItems: enforced(),
  minItems: enforced('at most 1,000'),
  maxItems: enforced('at most 1,000'),
  minLength: enforced('at most 1,000'),
  maxLength: enforced('at most 1,000'),
  pattern: enforced('not beside `minLength`, `maxLength` or `format`; the syntax of `--regex`'),
  format: enforced('`date`, `time`, `date-time`, `uuid`, `ipv4`, `email`'),
  minimum: enforced('numbers then have no exponent'),
  maximum: enforced('numbers then have no exponent'),
  exclusiveMinimum: enforced('numbers then have no exponent'),
  exclusiveMaximum: enforced('numbers then have no exponent'),
  anyOf: enforced('keywords beside it are merged into each branch'),
  $ref: enforced('within the document: `#`, `#/$defs/NAME`, or another pointer'),
  $defs: enforced(),
  definitions: enforced(),
  oneOf: rewritten('to `anyOf` where no value fits two branches: by type, by value, or by the value of a required property; else refused'),
  allOf: rewritten('merged with the keywords beside it where no two differ; else refused'),
  multipleOf: rewritten('1 of integers is left out; else refused'),
  uniqueItems: rewritten('`false` is left out; else refused'),
  minProperties: rewritten('left out where as many are required; else refused'),
  maxProperties: rewritten('left out where there cannot be more; else refused'),
  not: refused('say what is allowed'),
  if: refused('write anyOf with the two cases'),
  // biome-ignore lint/suspicious/noThenProperty: the keyword's name; the table is not awaited
  then: refused('write anyOf with the two cases'),
  else: refused('write anyOf with the two cases'),
  contains: refused('write prefixItems or items'),
  minContains: refused('write prefixItems or items'),
  maxContains: refused('write prefixItems or items'),
  patternProperties: refused('name the properties'),
  propertyNames: refused('name the properties'),
  dependentRequired: refused('write anyOf with the cases'),
  dependentSchemas: refused('write anyOf with the cases'),
  dependencies: refused('write anyOf with the cases'),
  unevaluatedProperties: refused('write additionalProperties'),
  unevaluatedItems: refused('write items'),
  additionalItems: refused('write prefixItems, and items for the others'),
  contentEncoding: refused('write a pattern'),
  contentMediaType: refused('write a pattern'),
  contentSchema: refused('write a pattern'),
  $anchor: refused('refer by a JSON pointer'),
  $dynamicRef: refused('refer by a JSON pointer'),
  $dynamicAnchor: refused('refer by a JSON pointer'),
  $recursiveRef: refused('refer by a JSON pointer'),
  $recursiveAnchor: refused('refer by a JSON pointer'),
  $vocabulary: refused('leave it out'),
  $id: annotation,
  $schema: annotation,
  $comment: annotation,
  title: annotation,
  description: annotation,
  default: annotation,
  examples: annotation,
  deprecated: annotation,
  readOnly: annotation,
  writeOnly: annotation,
} as const satisfies Readonly<Record<string, KeywordRow>>;

export type Keyword = keyof typeof keywordTable;

export const isKeyword = (name: string): name is Keyword => Object.hasOwn(keywordTable, name);
