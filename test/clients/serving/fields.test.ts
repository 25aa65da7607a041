/**
 * Every field of OpenAI's API has a row that says what becomes of it, and nothing is ignored that
 * changes an answer.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { completionFields } from '../../../clients/typescript/serving/fields/completion-fields.js';
import { type FieldTable, readFields } from '../../../clients/typescript/serving/fields/field.js';
import { fieldTables } from '../../../clients/typescript/serving/fields/field-tables.js';
import { packageRoot } from '../../../src/files/package-root.js';

/** Interfaces of the client's own types, by endpoint. */
const interfaces: Readonly<Record<string, readonly [file: string, name: string]>> = {
  '/v1/chat/completions': ['chat/completions/completions.d.ts', 'ChatCompletionCreateParamsBase'],
  '/v1/completions': ['completions.d.ts', 'CompletionCreateParamsBase'],
  '/v1/responses': ['responses/responses.d.ts', 'ResponseCreateParamsBase'],
  '/v1/embeddings': ['embeddings.d.ts', 'EmbeddingCreateParams'],
};

/** Names of an interface's own fields. */
function fieldsOf([file, name]: readonly [string, string]): readonly string[] {
  const text = readFileSync(join(packageRoot(), 'node_modules/openai/resources', file), 'utf8');
  const start = text.indexOf(`export interface ${name} {`);
  assert.ok(start >= 0, name);
  const own = text.slice(start, text.indexOf('\n}', start));
  return [...own.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field]) => field!);
}

describe('fields of requests', () => {
  for (const [path, source] of Object.entries(interfaces)) {
    it(`of ${path}: all of OpenAI's have a row; further ones are called extensions`, () => {
      const table: FieldTable = fieldTables[path]!;
      const known = fieldsOf(source);
      assert.ok(known.length > 4);
      assert.deepEqual(
        known.filter((name) => !Object.hasOwn(table, name)),
        [],
      );
      const further = Object.entries(table)
        .filter(([, row]) => row.treatment === 'honoured' && row.extension !== true)
        .map(([name]) => name);
      assert.deepEqual(
        further.filter((name) => !known.includes(name)),
        [],
      );
    });
  }

  it('that are unknown, refused or of another form are refused by name; null is absent', () => {
    const refused = (body: object, param: string, code: string) =>
      assert.throws(
        () => readFields(completionFields, body as Readonly<Record<string, unknown>>, 'completions'),
        (caught: { readonly details: object; readonly message: string }) => {
          assert.deepEqual(caught.details, { param, code });
          assert.ok(caught.message.startsWith(param), caught.message);
          return true;
        },
      );
    refused({ modle: 'x' }, 'modle', 'unknown_parameter');
    refused({ constructor: 1 }, 'constructor', 'unknown_parameter');
    refused({ suffix: 'end' }, 'suffix', 'unsupported_parameter');
    refused({ best_of: 3 }, 'best_of', 'unsupported_parameter');
    refused({ n: 1.5 }, 'n', 'invalid_value');
    refused({ n: 17 }, 'n', 'invalid_value');
    refused({ top_p: 0 }, 'top_p', 'invalid_value');
    refused({ stop: ['a', 3] }, 'stop', 'invalid_value');
    refused({ stop: [2n ** 70n] }, 'stop', 'invalid_value');
    refused({ stream_options: { include_usage: 1 } }, 'stream_options.include_usage', 'invalid_value');
    const body = { suffix: null, best_of: 1, temperature: null, user: 'x', n: 2, model: 'm' };
    assert.deepEqual(readFields(completionFields, body, 'completions'), { n: 2, model: 'm' });
  });
});
