import assert from 'node:assert/strict';
import { generateIdentity, sign } from '../../../src/protocol/secagg/signature.js';
import { VerifiedSignatures } from '../../../src/protocol/secagg/verified-signatures.js';
import { seededRandom } from '../../support/secagg-table.js';

describe('signatures that were found right', () => {
  const random = seededRandom('verified signatures');
  const [signer, other] = [generateIdentity(random), generateIdentity(random)];
  const message = Uint8Array.of(1, 2, 3);
  const signature = sign(signer.privateKey, message);

  it('are remembered for this key, message and signature only', () => {
    const signatures = new VerifiedSignatures();
    for (let time = 0; time < 2; time++) {
      assert.equal(signatures.verify(signer.publicKey, message, signature), true);
      assert.equal(signatures.verify(other.publicKey, message, signature), false);
      assert.equal(signatures.verify(signer.publicKey, Uint8Array.of(1, 2, 4), signature), false);
      assert.equal(signatures.verify(signer.publicKey, message, signature.with(0, signature[0]! ^ 1)), false);
      assert.equal(signatures.size, 1, 'a wrong one is not remembered');
    }
  });

  it('are not found again where key, signature and message are cut otherwise', () => {
    const signatures = new VerifiedSignatures();
    assert.equal(signatures.verify(signer.publicKey, message, signature), true);
    const joined = Buffer.concat([signer.publicKey, signature, message]);
    for (const [key, end] of [
      [31, 95],
      [32, 97],
      [33, 96],
      [0, 64],
    ] as const)
      assert.equal(signatures.verify(joined.subarray(0, key), joined.subarray(end), joined.subarray(key, end)), false);
  });

  it('are a bounded number, the newest', () => {
    const signatures = new VerifiedSignatures(2);
    for (let i = 0; i < 5; i++) {
      const bytes = Uint8Array.of(i);
      assert.equal(signatures.verify(signer.publicKey, bytes, sign(signer.privateKey, bytes)), true);
    }
    assert.equal(signatures.size, 2);
  });
});
