/** Assertions of clients: what is taken is of the client, for this issuer, soon over, and taken once. */
import assert from 'node:assert/strict';
import { decodeJwt } from 'jose';
import { JWT_BEARER } from '../../../src/gateway/identity/client-assertion.js';
import { authenticateClient } from '../../../src/gateway/identity/client-authentication.js';
import { OAuthError } from '../../../src/gateway/identity/oauth-error.js';
import { fuzzedEndpoint } from '../fuzzed-endpoint.js';
import { CLIENT, goodAssertion, ISSUER, jwtOf, refusable, SECONDS } from '../identity-values.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const { options, forget } = await fuzzedEndpoint('assertions');

export const target: Target = {
  examples: [Buffer.from(JSON.stringify(goodAssertion))],
  made: editedJson([goodAssertion]),
  words: ['"alg":"none"', '"crit":["b64"]', '"typ":"at+jwt"', '"exp":1e300', '"aud":[]', '"jti":""', '"kid":"a"'],
  async run(input) {
    await forget();
    const client_assertion = await jwtOf(input);
    const ask = () => authenticateClient({ client_assertion, client_assertion_type: JWT_BEARER }, undefined, options);
    const { id } = await refusable(ask);
    const { iss, sub, aud, exp = 0 } = decodeJwt(client_assertion);
    assert.deepEqual([id, iss, sub, [aud].flat()], [CLIENT, CLIENT, CLIENT, [ISSUER]]);
    assert.ok(exp > SECONDS - 61 && exp <= SECONDS + 361, `${exp}`);
    await assert.rejects(ask(), (error) => error instanceof OAuthError && error.code === 'invalid_client');
  },
};
