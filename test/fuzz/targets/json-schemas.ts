/** JSON schemas that a text is held to: refused by keyword and place, or every finished text fits. */

import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { checksum, drawAndCheck } from '../constrained-texts.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const integer = { type: 'integer' };
const list = { type: 'object', properties: { next: { anyOf: [{ $ref: '#/$defs/list' }, { type: 'null' }] } }, required: ['next'] };

/** Every keyword that is enforced or rewritten. */
const documents = [
  {
    type: 'object',
    properties: { 'a"': { enum: ['x', 1.5, null, [1], { b: 'é' }] }, ab: { type: ['integer', 'null'], minimum: -12, maximum: 345 } },
    required: ['ab', 'z'],
    additionalProperties: { type: 'string', minLength: 1, maxLength: 3 },
    minProperties: 1,
    title: 'x',
  },
  { type: 'array', prefixItems: [{ const: 'a' }, { type: 'boolean' }], items: integer, minItems: 1, maxItems: 4, uniqueItems: false },
  { type: 'string', pattern: '^[a-c"\\\\]{1,3}\\d$|é' },
  { type: 'string', format: 'date-time' },
  { type: 'number', exclusiveMinimum: -0.25, maximum: 1.125 },
  { type: 'integer', minimum: 3, exclusiveMaximum: 1200, multipleOf: 1 },
  { $ref: '#/$defs/list', $defs: { list } },
  {
    oneOf: [
      { type: 'object', properties: { kind: { const: 'a' }, n: integer }, required: ['kind'] },
      { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'], additionalProperties: false, maxProperties: 1 },
    ],
  },
  { type: 'object', properties: { a: integer }, allOf: [{ properties: { b: { $ref: '#/properties/a' } } }, { required: ['a', 'b'] }] },
  { minLength: 1, anyOf: [{ type: 'string' }, { type: 'null' }, false, true] },
  {},
  true,
];

export const target: Target = {
  examples: documents.map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: [
    ...['"type":"array"', '"type":"object"', '"items":', '"anyOf":[', '"allOf":[', '"oneOf":[', '"$ref":"#"', '"enum":[', '"const":'],
    ...['"maxItems":1000', '"minLength":1000', '"pattern":"', '\\\\p{L}', '{0,999}', '"required":["', '"properties":{', '"__proto__":'],
    ...['"additionalProperties":', '"maximum":1e999', '"minimum":-0', '"format":"uuid"', '\\ud800', '"not":{}'],
  ],
  async run(input) {
    await drawAndCheck({ kind: 'schema', schema: parsed(input) }, checksum(input));
  },
};

/** As the readers of a file and of a body do. @throws CutlayerError INVALID_DATA */
function parsed(input: Uint8Array): unknown {
  try {
    return parseJson(Buffer.from(input).toString());
  } catch (cause) {
    throw new CutlayerError('INVALID_DATA', 'schema: expected JSON', { cause });
  }
}
