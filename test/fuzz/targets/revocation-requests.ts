/** Forms that revoke a token: only a token of the client that asks is voided. */
import assert from 'node:assert/strict';
import { decodeJwt } from 'jose';
import { parseForm } from '../../../src/gateway/identity/form-parameters.js';
import { issueToken } from '../../../src/server/auth/issuer.js';
import { fuzzedEndpoint, SECRET, SECRET_CLIENT } from '../fuzzed-endpoint.js';
import { CLIENT, NOW, refusable } from '../identity-values.js';
import type { Target } from '../target.js';

const { endpoint, ring, identity, revocations } = await fuzzedEndpoint('revocations');
const common = { tenant: 'acme', scopes: ['train'], ttlSeconds: 600 } as const;
const [own, other] = await Promise.all([SECRET_CLIENT, CLIENT].map((clientId) => issueToken(ring, identity, { ...common, clientId }, NOW)));
const proof = { client_id: SECRET_CLIENT, client_secret: SECRET };
/** Stand for tokens, which differ in each process. */
const OWN = 'OWN-TOKEN';
const OTHER = 'OTHER-TOKEN';
const text = (form: Readonly<Record<string, string>>) => Buffer.from(new URLSearchParams(form).toString());

export const target: Target = {
  examples: [
    text({ ...proof, token: OWN }),
    text({ ...proof, token: OTHER }),
    text({ ...proof, token: 'a.b.c', token_type_hint: 'access_token' }),
    text(proof),
  ],
  words: ['&token=', OWN, OTHER, '&client_id=', '&client_secret=', '&token_type_hint=refresh_token', '%00', '&&'],
  async run(input) {
    const parameters = await refusable(async () => parseForm(input));
    const { token } = parameters;
    const given = token === OWN ? own! : token === OTHER ? other! : token;
    await refusable(async () =>
      endpoint.revoke({ parameters: { ...parameters, ...(given !== undefined && { token: given }) }, authorization: undefined }),
    );
    const isVoid = (of: string) => revocations.has({ id: String(decodeJwt(of).jti), clientId: undefined });
    assert.ok(!isVoid(other!), 'a token of another client is void');
    if (token === OWN) assert.ok(isVoid(own!));
  },
};
