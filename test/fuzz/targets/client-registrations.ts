/** Bodies that register a client: scopes of the list, and public keys that read back the same. */
import assert from 'node:assert/strict';
import { CutlayerError } from '../../../src/errors.js';
import { parseJson } from '../../../src/files/json-text.js';
import { parseClientKeys } from '../../../src/gateway/identity/client-keys.js';
import { newClientSchema } from '../../../src/gateway/identity/client-registry.js';
import { privateJwk, publicJwk } from '../identity-values.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const documents = [
  { tenant: 'acme', scopes: ['train', 'infer'], keys: publicJwk },
  { tenant: 'acme', keys: { keys: [{ ...publicJwk, kid: 'a', alg: 'EdDSA', use: 'sig' }] } },
  { tenant: 'acme' },
];

export const target: Target = {
  examples: [...documents, { tenant: 'acme', keys: privateJwk }].map((document) => Buffer.from(JSON.stringify(document))),
  made: editedJson(documents),
  words: ['"scopes":["admin"]', '"kty":"EC","crv":"P-256"', '"d":"a"', '"__proto__":', '"keys":[]', '"x":""'],
  async run(input) {
    let content: unknown;
    try {
      content = parseJson(Buffer.from(input).toString());
    } catch (cause) {
      throw new CutlayerError('INVALID_ARGUMENT', 'request: malformed', { cause });
    }
    const found = newClientSchema.safeParse(content);
    if (!found.success) throw new CutlayerError('INVALID_ARGUMENT', 'client: expected {tenant, scopes, keys}');
    const { keys: given } = found.data;
    if (given === undefined) return;
    const keys = await parseClientKeys(given);
    assert.ok(keys.length >= 1 && keys.every((key) => !('d' in key)));
    assert.deepEqual(await parseClientKeys(JSON.parse(JSON.stringify({ keys }))), keys);
  },
};
