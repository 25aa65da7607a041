/** Forms that ask the token endpoint for a token: what is given is for the client that has proven itself, and no more than it may have. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JWT_BEARER } from '../../../src/gateway/identity/client-assertion.js';
import { parseForm } from '../../../src/gateway/identity/form-parameters.js';
import { fuzzedEndpoint, SECRET, SECRET_CLIENT } from '../fuzzed-endpoint.js';
import { CLIENT, goodAssertion, jwtOf, refusable } from '../identity-values.js';
import type { Target } from '../target.js';

const { endpoint, verify, forget } = await fuzzedEndpoint('token-requests');
const assertion = await jwtOf(Buffer.from(JSON.stringify(goodAssertion)));
const bySecret = { client_id: SECRET_CLIENT, client_secret: SECRET };
const byKey = { client_assertion_type: JWT_BEARER, client_assertion: assertion };
const forms = [bySecret, byKey, { ...byKey, client_id: CLIENT }, { ...bySecret, scope: 'infer' }].map((proof) => ({
  grant_type: 'client_credentials',
  ...proof,
}));
const text = (form: Readonly<Record<string, string>>) => Buffer.from(new URLSearchParams(form).toString());
const value = fc.constantFrom(
  '',
  'admin',
  'train',
  'infer train',
  'client_credentials',
  CLIENT,
  SECRET,
  JWT_BEARER,
  assertion,
  '%ff',
  '\u0000',
);
const name = fc.constantFrom('grant_type', 'scope', 'resource', 'client_id', 'client_secret', 'client_assertion', '__proto__', 'token');

export const target: Target = {
  examples: forms.map(text),
  made: fc
    .tuple(fc.constantFrom(...forms), fc.array(fc.tuple(name, value), { maxLength: 3 }))
    .map(([form, edits]) => text({ ...form, ...Object.fromEntries(edits) })),
  words: ['&scope=', '&grant_type=', '&client_id=', '%00', '&a[b]=c', '&&', '+', '&client_secret=x'],
  async run(input) {
    await forget();
    const answer = await refusable(async () =>
      endpoint.token({ parameters: parseForm(input), authorization: undefined, certificate: undefined, key: undefined }),
    );
    const { tenant, clientId, scopes } = await verify(answer.access_token);
    assert.equal(tenant, 'acme');
    assert.ok(clientId === CLIENT || clientId === SECRET_CLIENT);
    assert.ok([...scopes].every((scope) => scope === 'train' || scope === 'infer') && scopes.size > 0);
    assert.equal([...scopes].join(' '), answer.scope);
  },
};
