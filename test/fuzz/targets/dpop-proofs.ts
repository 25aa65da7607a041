/** DPoP proofs: what is taken is of the request, of now, of the key in its header, and taken once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, decodeJwt } from 'jose';
import { DpopProofs } from '../../../src/server/auth/dpop.js';
import { jwtOf, NOW, publicJwk, SECONDS } from '../identity-values.js';
import { editedJson } from '../json-edits.js';
import type { Target } from '../target.js';

const url = 'https://vendor.example:8080/v1/usage';
const token = 'a.b.c';
const claims = { iat: SECONDS, jti: 'a', htm: 'GET', htu: url, ath: createHash('sha256').update(token).digest('base64url') };
const proof = { header: { alg: 'EdDSA', typ: 'dpop+jwt', jwk: publicJwk }, claims };
/** A decoder takes its key for that of the proof; its thumbprint is another. */
const looseKey = { ...proof, header: { ...proof.header, jwk: { ...publicJwk, x: publicJwk.x.replace('OH', 'O}H') } } };
const thumbprint = await calculateJwkThumbprint(publicJwk);

export const target: Target = {
  examples: [proof, looseKey].map((one) => Buffer.from(JSON.stringify(one))),
  made: editedJson([proof]),
  words: [
    '"alg":"none"',
    '"jwk":{}',
    '"htu":"HTTPS://VENDOR.example:8080/v1/usage?a"',
    '"htu":"//"',
    '"iat":1e300',
    '"d":"a"',
    '"kty":"oct"',
  ],
  async run(input) {
    const text = await jwtOf(input);
    const proofs = new DpopProofs(() => NOW);
    const request = { method: 'GET', url, token };
    assert.equal(await proofs.take(text, request), thumbprint);
    const { iat = 0, htm, ath } = decodeJwt(text);
    assert.ok(Math.abs(iat - SECONDS) <= 60, `${iat}`);
    assert.deepEqual([htm, ath], ['GET', claims.ath]);
    await assert.rejects(proofs.take(text, request), { code: 'PROOF_REFUSED' });
  },
};
