/** Tokens of NVIDIA's attestation service, by keys of the test. */
import assert from 'node:assert/strict';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { verifyNvidiaToken } from '../../../../clients/typescript/connection/attestation/nvidia-token.js';
import type { NvidiaPolicy } from '../../../../clients/typescript/connection/attestation/policy.js';

describe("a token of NVIDIA's service", () => {
  const now = Date.parse('2026-03-01T00:00:00Z');
  const nonce = 'ab'.repeat(32);
  const issuer = 'https://nras.attestation.nvidia.com';
  let policy: NvidiaPolicy;
  let key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  before(async () => {
    const pair = await generateKeyPair('ES384');
    key = pair.privateKey;
    policy = { issuer, jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'ES384' }] }, claims: { hwmodel: 'GH100' } };
  });

  const claims = { eat_nonce: nonce, 'x-nvidia-overall-att-result': true, hwmodel: 'GH100', iss: issuer };
  const signed = (changes: Readonly<Record<string, unknown>>, by = key, seconds = now / 1000) =>
    new SignJWT({ iat: seconds, exp: seconds + 600, ...claims, ...changes }).setProtectedHeader({ alg: 'ES384' }).sign(by);
  const refused = async (token: string, message: RegExp, wanted = nonce) =>
    assert.rejects(verifyNvidiaToken(token, policy, wanted, now), { code: 'ATTESTATION_REJECTED', message });

  it('is taken when it is signed by the service, valid now, for this call, and as the policy says', async () => {
    await verifyNvidiaToken(await signed({}), policy, nonce, now);
  });

  it('is refused when it is missing, of another signer or issuer, expired, unsigned or without an end', async () => {
    await refused('', /expected a token, got none/);
    await refused(await signed({}, (await generateKeyPair('ES384')).privateKey), /signature/);
    await refused(await signed({ iss: 'https://example.com' }), /"iss"/);
    await refused(await signed({}, key, now / 1000 - 3600), /"exp"/);
    await refused(await signed({ exp: undefined }), /"exp"/);
    const [, payload] = (await signed({})).split('.');
    await refused(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`, /NVIDIA token: expected one/);
  });

  it('is refused for another call, a failed appraisal, or another claim than the policy wants', async () => {
    await refused(await signed({}), /eat_nonce: expected cdcd/, 'cd'.repeat(32));
    await refused(await signed({ 'x-nvidia-overall-att-result': false }), /x-nvidia-overall-att-result: expected true, got false/);
    await refused(await signed({ hwmodel: 'GA100' }), /hwmodel: expected GH100, got GA100/);
    await refused(await signed({ hwmodel: undefined }), /hwmodel: expected GH100, got undefined/);
  });
});
