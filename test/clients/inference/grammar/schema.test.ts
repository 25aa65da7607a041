/** Every keyword of JSON schema: enforced (each finished text fits), rewritten, or refused by name. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { constraintGrammar } from '../../../../clients/typescript/inference/grammar/constraint.js';
import { type Keyword, keywordTable } from '../../../../clients/typescript/inference/grammar/schema/keyword-table.js';
import { depth } from '../../../support/exhaustive.js';
import { drawnTexts } from '../../../support/grammar-walk.js';

/** A schema that has the keyword; or what its refusal names. */
type Case = object | readonly (object | Refusal)[] | Refusal;

class Refusal {
  constructor(
    readonly schema: unknown,
    readonly pointer: string,
    readonly says: RegExp = /cannot be enforced/,
  ) {}
}

const refusal = (schema: unknown, pointer: string, says?: RegExp): Refusal => new Refusal(schema, pointer, says);
const string = { type: 'string' } as const;
const integer = { type: 'integer' } as const;

/** One row for each keyword. */
const cases: Readonly<Record<Keyword, Case>> = {
  type: [{ type: ['integer', 'null', 'boolean'] }, refusal({ type: 'text' }, '#/type', /expected one or some of object/)],
  enum: [
    { enum: ['a"\n', 1.5, null, [1], { a: 'é' }] },
    { type: 'string', enum: [1, 'b'] },
    refusal({ enum: ['a'], minLength: 1 }, '#/minLength'),
    refusal({ enum: [1, [Number.POSITIVE_INFINITY]] }, '#/enum', /a number is too large/),
  ],
  const: [{ const: { a: [1, 'x', '日'], ...JSON.parse('{"__proto__": 1}') } }, refusal({ const: Number.NaN }, '#/const', /too large/)],
  properties: [
    { type: 'object', properties: { a: integer, 'b"': string, c: { type: 'boolean' } } },
    refusal({ properties: JSON.parse('{"a": {"properties": {"__proto__": {}}}}') }, '#/properties/a', /__proto__ cannot be checked/),
  ],
  required: [
    { type: 'object', properties: { a: integer, b: integer, c: integer }, required: ['b'] },
    { type: 'object', properties: { a: integer }, required: ['z'] },
    refusal({ type: 'object', properties: { a: integer }, required: ['z'], additionalProperties: false }, '#', /no finite text/),
  ],
  additionalProperties: [
    { type: 'object', properties: { a: integer, ab: integer, '': integer }, required: ['a', 'ab'], additionalProperties: string },
    { type: 'object', additionalProperties: integer },
    { type: 'object', properties: { a: integer }, additionalProperties: true },
    { type: 'object', additionalProperties: false },
  ],
  items: [
    { type: 'array', items: integer },
    { type: 'array', items: false },
  ],
  prefixItems: [
    { type: 'array', prefixItems: [integer, string] },
    { type: 'array', prefixItems: [integer, string], items: false, minItems: 1 },
    { type: 'array', prefixItems: [integer, string, integer], items: { type: 'null' }, minItems: 2, maxItems: 4 },
  ],
  minItems: { type: 'array', items: integer, minItems: 2 },
  maxItems: [
    { type: 'array', items: integer, minItems: 1, maxItems: 3 },
    { type: 'array', maxItems: 0 },
    refusal({ maxItems: 5000 }, '#/maxItems', /at most 1000/),
  ],
  minLength: { type: 'string', minLength: 3 },
  maxLength: { type: 'string', minLength: 1, maxLength: 2 },
  pattern: [
    { type: 'string', pattern: '^[a-z"\\\\\\n/]{1,3}\\d$' },
    { pattern: 'b[0-9]|^c' },
    refusal({ pattern: 'a(?=b)' }, '#/pattern', /lookahead/),
    refusal({ pattern: 'a', minLength: 3 }, '#', /together/),
    refusal({ pattern: '(' }, '#/pattern', /regular expression/),
  ],
  format: [
    ...['date', 'time', 'date-time', 'uuid', 'ipv4', 'email'].map((format) => ({ type: 'string', format })),
    refusal({ format: 'hostname' }, '#/format'),
  ],
  minimum: [
    { type: 'integer', minimum: -12 },
    { type: 'number', minimum: 0.5 },
    refusal({ minimum: 1e-9 }, '#/minimum', /without an exponent/),
  ],
  maximum: [
    { type: 'integer', minimum: 3, maximum: 120 },
    { type: 'number', minimum: -0.25, maximum: 1.125 },
    { type: 'integer', maximum: -7 },
  ],
  exclusiveMinimum: [
    { type: 'number', exclusiveMinimum: 0, maximum: 0.5 },
    { type: 'number', exclusiveMinimum: 123456789.5, maximum: 123456790.25 },
    { type: 'integer', exclusiveMinimum: -3.5, exclusiveMaximum: 3 },
  ],
  exclusiveMaximum: [
    { type: 'number', exclusiveMinimum: -1, exclusiveMaximum: 0 },
    { type: 'number', minimum: 0.123456789012, exclusiveMaximum: 99999 },
    refusal({ type: 'integer', exclusiveMinimum: 3, exclusiveMaximum: 4 }, '#', /no finite text/),
  ],
  anyOf: [
    { anyOf: [integer, string] },
    { type: 'object', properties: { a: integer, b: integer }, anyOf: [{ required: ['a'] }, { required: ['b'] }] },
    { minLength: 1, anyOf: [{ type: 'string' }, { type: 'null' }, false] },
  ],
  $ref: [
    {
      $ref: '#/$defs/list',
      $defs: {
        list: { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/list' }, { type: 'null' }] } }, required: ['next'] },
      },
    },
    {
      type: 'object',
      properties: { a: integer, 'b/c~%': { $ref: '#/properties/a' }, d: { $ref: '#/properties/b~1c~0%25' } },
      required: ['d'],
    },
    refusal({ $ref: 'https://example.com/schema' }, '#/$ref', /within the document/),
    refusal({ $ref: '#/$defs/none' }, '#/$ref', /nothing at this reference/),
    refusal({ $ref: '#' }, '#', /no finite text/),
    refusal({ $ref: '#/$defs/a', minLength: 3, $defs: { a: string } }, '#/minLength'),
  ],
  $defs: { $defs: { a: integer }, type: 'array', items: { $ref: '#/$defs/a' } },
  definitions: { definitions: { a: integer }, type: 'array', items: { $ref: '#/definitions/a' } },
  oneOf: [
    { oneOf: [integer, string, { const: null }] },
    { oneOf: [{ enum: ['a', 1] }, { const: 'b' }] },
    {
      oneOf: [{ type: 'object', properties: { kind: { const: 'a' }, n: integer }, required: ['kind', 'n'] }, { $ref: '#/$defs/b' }],
      $defs: { b: { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] } },
    },
    refusal({ oneOf: [integer, { type: 'number' }] }, '#/oneOf', /branches 0 and 1/),
    refusal(
      {
        oneOf: [
          { type: 'object', properties: { kind: { const: 'a' } } },
          { type: 'object', properties: { kind: { const: 'b' } } },
        ],
      },
      '#/oneOf',
      /branches 0 and 1/,
    ),
  ],
  allOf: [
    { allOf: [{ $ref: '#/$defs/a' }], description: 'x', $defs: { a: integer } },
    { type: 'object', properties: { a: integer }, allOf: [{ properties: { b: string } }, { required: ['a', 'b'] }] },
    { type: ['number', 'string'], allOf: [{ type: ['integer', 'null'] }, { minimum: 3 }] },
    refusal({ allOf: [{ minimum: 1 }, { minimum: 2 }] }, '#/allOf/1/minimum', /stands twice/),
    refusal(
      { allOf: [{ properties: { a: integer }, additionalProperties: false }, { properties: { b: integer } }] },
      '#/allOf/1',
      /its own branch/,
    ),
    refusal({ allOf: [string, integer] }, '#/allOf/1/type', /no type is left/),
  ],
  multipleOf: [{ type: 'integer', multipleOf: 1 }, refusal({ type: 'number', multipleOf: 0.5 }, '#/multipleOf')],
  uniqueItems: [
    { type: 'array', items: integer, uniqueItems: false },
    refusal({ properties: { a: { uniqueItems: true } } }, '#/properties/a/uniqueItems'),
  ],
  minProperties: [
    { type: 'object', properties: { a: integer, b: integer }, required: ['a'], minProperties: 1 },
    refusal({ minProperties: 1 }, '#/minProperties'),
  ],
  maxProperties: [{ type: 'object', properties: { a: integer }, maxProperties: 1 }, refusal({ maxProperties: 3 }, '#/maxProperties')],
  not: refusal({ type: 'array', items: { not: {} } }, '#/items/not'),
  if: refusal({ if: {} }, '#/if'),
  // biome-ignore lint/suspicious/noThenProperty: the keyword's name
  then: refusal({ then: {} }, '#/then'),
  else: refusal({ else: {} }, '#/else'),
  contains: refusal({ contains: {} }, '#/contains'),
  minContains: refusal({ minContains: 1 }, '#/minContains'),
  maxContains: refusal({ maxContains: 1 }, '#/maxContains'),
  patternProperties: refusal({ patternProperties: {} }, '#/patternProperties'),
  propertyNames: refusal({ propertyNames: {} }, '#/propertyNames'),
  dependentRequired: refusal({ dependentRequired: {} }, '#/dependentRequired'),
  dependentSchemas: refusal({ dependentSchemas: {} }, '#/dependentSchemas'),
  dependencies: refusal({ dependencies: {} }, '#/dependencies'),
  unevaluatedProperties: refusal({ unevaluatedProperties: false }, '#/unevaluatedProperties'),
  unevaluatedItems: refusal({ unevaluatedItems: false }, '#/unevaluatedItems'),
  additionalItems: refusal({ additionalItems: false }, '#/additionalItems'),
  contentEncoding: refusal({ contentEncoding: 'base64' }, '#/contentEncoding'),
  contentMediaType: refusal({ contentMediaType: 'text/html' }, '#/contentMediaType'),
  contentSchema: refusal({ contentSchema: {} }, '#/contentSchema'),
  $anchor: refusal({ anyOf: [{ $anchor: 'a' }] }, '#/anyOf/0/$anchor'),
  $dynamicRef: refusal({ $dynamicRef: '#a' }, '#/$dynamicRef'),
  $dynamicAnchor: refusal({ $dynamicAnchor: 'a' }, '#/$dynamicAnchor'),
  $recursiveRef: refusal({ $recursiveRef: '#' }, '#/$recursiveRef'),
  $recursiveAnchor: refusal({ $recursiveAnchor: true }, '#/$recursiveAnchor'),
  $vocabulary: refusal({ $vocabulary: {} }, '#/$vocabulary'),
  $id: [{ $id: 'https://example.com/a', ...integer }, refusal({ items: { $id: 'b' } }, '#/items/$id')],
  $schema: { $schema: 'http://json-schema.org/draft-07/schema#', ...integer },
  $comment: { $comment: 'x', ...integer },
  title: { title: 'x', ...integer },
  description: { description: 'x', ...integer },
  default: { default: 3, ...integer },
  examples: { examples: [3], ...integer },
  deprecated: { deprecated: true, ...integer },
  readOnly: { readOnly: true, ...integer },
  writeOnly: { writeOnly: true, ...integer },
};

const draws = depth(60, 8);

describe('a JSON schema', () => {
  for (const [keyword, of] of Object.entries(cases) as [Keyword, Case][])
    it(`${keyword} is ${keywordTable[keyword].treatment}`, async () => {
      for (const one of [of].flat() as readonly (object | Refusal)[]) {
        if (!(one instanceof Refusal)) {
          const texts = await drawnTexts({ kind: 'schema', schema: one }, draws);
          assert.ok(texts.length > 0, JSON.stringify(one));
        } else
          assert.throws(() => constraintGrammar({ kind: 'schema', schema: one.schema }), {
            code: 'INVALID_ARGUMENT',
            message: new RegExp(`^schema: ${one.pointer.replace(/[$/#]/g, '\\$&')}: .*${one.says.source}`, 's'),
          });
      }
    });

  it('refuses an unknown keyword by its pointer', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', mustBe: 'secret' } } };
    assert.throws(() => constraintGrammar({ kind: 'schema', schema }), {
      code: 'INVALID_ARGUMENT',
      message: 'schema: #/properties/a/mustBe: this keyword is unknown and would not be enforced; leave it out',
    });
  });

  it('refuses a schema that is too large or too deep', () => {
    let deep: object = {};
    for (let level = 0; level < 80; level++) deep = { items: deep };
    for (const schema of [deep, { enum: ['x'.repeat(70_000)] }, { enum: Array.from({ length: 2001 }, (_, n) => n) }])
      assert.throws(() => constraintGrammar({ kind: 'schema', schema }), { code: 'LIMIT_EXCEEDED' });
  });

  it('keeps any object an object', async () => {
    assert.ok((await drawnTexts({ kind: 'object' }, draws)).length > 0);
  });

  it('lets only texts finish that the schema accepts, for schemas drawn at random', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(schemas, async (schema) => {
        await drawnTexts({ kind: 'schema', schema }, 3);
      }),
      { seed: 11, numRuns: depth(300, 25) },
    );
  });
});

/** Schemas of enforced keywords. */
const { schema: schemas } = fc.letrec<{ readonly schema: object }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom({ type: 'boolean' }, { type: 'null' }, { type: 'number' }, { type: 'string', format: 'date' }),
    fc.record({ type: fc.constant('integer'), minimum: fc.integer({ min: -300, max: 20 }), maximum: fc.integer({ min: 20, max: 5000 }) }),
    fc.tuple(fc.integer({ min: -3000, max: 3000 }), fc.integer({ min: 1, max: 3000 }), fc.boolean()).map(([low, width, open]) => ({
      type: 'number',
      [open ? 'exclusiveMinimum' : 'minimum']: low / 8,
      [open ? 'maximum' : 'exclusiveMaximum']: (low + width) / 8,
    })),
    fc.tuple(fc.nat(3), fc.nat(3)).map(([min, more]) => ({ type: 'string', minLength: min, maxLength: min + more })),
    fc.uniqueArray(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 3 }).map((values) => ({ enum: values })),
    fc.record({ type: fc.constant('array'), items: tie('schema'), maxItems: fc.integer({ min: 1, max: 3 }) }),
    fc.tuple(tie('schema'), tie('schema')).map((anyOf) => ({ anyOf })),
    fc
      .tuple(fc.dictionary(fc.string({ maxLength: 3 }), tie('schema'), { maxKeys: 3 }), fc.boolean(), fc.boolean())
      .map(([properties, all, open]) => ({
        type: 'object',
        properties,
        required: all ? Object.keys(properties) : [],
        ...(open && { additionalProperties: { type: 'integer' } }),
      })),
  ),
}));
