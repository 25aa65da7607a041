/** Every primitive, through the function that the protocol calls, against the vectors of its standard. */
import assert from 'node:assert/strict';
import { invert, multiply } from '../../../src/protocol/secagg/field.js';
import { agree, agreementKey, deriveKey } from '../../../src/protocol/secagg/key-schedule.js';
import { rawPublicKey } from '../../../src/protocol/secagg/raw-keys.js';
import { open, seal } from '../../../src/protocol/secagg/sealing.js';
import { identityFromSeed, sign, verify } from '../../../src/protocol/secagg/signature.js';
import { seededBytes } from '../../../src/protocol/secagg/stream.js';
import { transcriptDigest } from '../../../src/protocol/secagg/transcript.js';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
const hex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('hex');

describe('primitives of secure aggregation', () => {
  it('X25519 agrees as in RFC 7748 sec. 6.1', () => {
    const alice = bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const alicePublic = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
    const bobPublic = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
    const secret = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    assert.equal(hex(rawPublicKey('X25519', alice)), alicePublic);
    assert.equal(hex(rawPublicKey('X25519', bob)), bobPublic);
    assert.equal(hex(agree(agreementKey(alice), bytes(bobPublic))), secret);
    assert.equal(hex(agree(agreementKey(bob), bytes(alicePublic))), secret);
  });

  it('X25519 multiplies as in RFC 7748 sec. 5.2', () => {
    const scalar = bytes('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4');
    const point = bytes('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c');
    assert.equal(hex(agree(agreementKey(scalar), point)), 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552');
  });

  it('X25519 gives nothing for the points of low order (RFC 7748 sec. 6.1)', () => {
    const key = agreementKey(bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
    const eighthOrder = 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800';
    for (const point of ['00'.repeat(32), `01${'00'.repeat(31)}`, eighthOrder]) assert.equal(agree(key, bytes(point)), undefined);
  });

  const ed25519 = [
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ] as const;
  for (const [i, [seed, publicKey, message, signature]] of ed25519.entries()) {
    it(`Ed25519 signs and verifies as in RFC 8032 sec. 7.1, test ${i + 1}`, () => {
      const identity = identityFromSeed(bytes(seed));
      assert.equal(hex(identity.publicKey), publicKey);
      assert.equal(hex(sign(identity.privateKey, bytes(message))), signature);
      assert.ok(verify(bytes(publicKey), bytes(message), bytes(signature)));
      const tampered = bytes(signature);
      tampered[5]! ^= 1;
      assert.ok(!verify(bytes(publicKey), bytes(message), tampered));
      assert.ok(!verify(bytes(publicKey), bytes(`${message}00`), bytes(signature)));
    });
  }

  it('Ed25519 takes keys and signatures of a wrong length, or off the curve, for wrong signatures', () => {
    const [, publicKey, , signature] = ed25519[0];
    assert.ok(!verify(bytes(publicKey).subarray(1), new Uint8Array(0), bytes(signature)));
    assert.ok(!verify(bytes(publicKey), new Uint8Array(0), bytes(signature).subarray(1)));
    assert.ok(!verify(new Uint8Array(32).fill(0xff), new Uint8Array(0), bytes(signature)));
  });

  it('takes no raw key of another length than 32 bytes', () => {
    assert.throws(() => identityFromSeed(new Uint8Array(31)), {
      code: 'INVALID_ARGUMENT',
      message: /Ed25519 private key: expected 32 bytes, got 31/,
    });
    assert.throws(() => rawPublicKey('X25519', new Uint8Array(33)), {
      code: 'INVALID_ARGUMENT',
      message: /X25519 private key: expected 32 bytes, got 33/,
    });
  });

  it('HKDF-SHA256 derives as in RFC 5869 A.1 and A.3 (the first 32 bytes)', () => {
    const secret = bytes('0b'.repeat(22));
    const first = deriveKey(secret, bytes('000102030405060708090a0b0c'), bytes('f0f1f2f3f4f5f6f7f8f9'));
    assert.equal(hex(first), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf');
    const third = deriveKey(secret, new Uint8Array(0), new Uint8Array(0));
    assert.equal(hex(third), '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d');
  });

  it('AES-256-CTR streams as in SP 800-38A F.5.5, however the stream is cut', () => {
    const key = bytes('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
    const counter = bytes('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
    const plaintext = bytes(
      '6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710',
    );
    const ciphertext =
      '601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c52b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6';
    const encrypt = (stream: Uint8Array) => hex(plaintext.map((value, i) => value ^ stream[i]!));
    assert.equal(encrypt(seededBytes(key, counter)(64)), ciphertext);
    const cut = seededBytes(key, counter);
    assert.equal(encrypt(new Uint8Array(Buffer.concat([cut(3), cut(20), cut(41)]))), ciphertext);
  });

  it('AES-256-GCM seals and opens as in the GCM specification, test cases 14 and 16', () => {
    const zeros = new Uint8Array(32);
    assert.equal(
      hex(seal(zeros, new Uint8Array(16), new Uint8Array(0))),
      'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919',
    );
    const key = bytes('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308');
    const nonce = bytes('cafebabefacedbaddecaf888');
    const associated = bytes('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const plaintext = bytes(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const sealed = bytes(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    );
    assert.equal(hex(seal(key, plaintext, associated, nonce)), hex(sealed));
    assert.equal(hex(open(key, sealed, associated, nonce)), hex(plaintext));
    assert.equal(open(key, sealed.with(0, sealed[0]! ^ 1), associated, nonce), undefined);
    assert.equal(open(key, sealed, associated.with(0, 0), nonce), undefined);
    assert.equal(open(key.with(0, 0), sealed, associated, nonce), undefined);
    assert.equal(open(key, sealed.subarray(0, 15), associated, nonce), undefined);
  });

  it('SHA-256 hashes a transcript laid out by hand', () => {
    // u32 length 1, 'd'; length 2, 'ab'; length 8, 258 as u64; length 1, ff: hashed with another implementation.
    assert.equal(hex(transcriptDigest('d', 'ab', 258, bytes('ff'))), 'a9769a959546e55c376b6a55154cdfdbbf7578d3362c917871ce8fd91b7ce93f');
  });

  it('takes no number into a transcript that u64 would not hold as it is, and keeps fields apart', () => {
    for (const number of [-1, 0.5, 2 ** 53, Number.NaN])
      assert.throws(() => transcriptDigest('d', number), {
        code: 'INVALID_ARGUMENT',
        message: /d: a number in a transcript is a whole one/,
      });
    assert.notDeepEqual(transcriptDigest('d', 'ab', 'c'), transcriptDigest('d', 'a', 'bc'));
    assert.notDeepEqual(transcriptDigest('d', 'ab'), transcriptDigest('da', 'b'));
  });

  it('GF(2^8) multiplies as in FIPS 197 sec. 4.2, and every element but 0 has its inverse', () => {
    assert.equal(multiply(0x57, 0x83), 0xc1);
    assert.equal(multiply(0x57, 0x13), 0xfe);
    assert.equal(invert(0x53), 0xca);
    for (let a = 1; a < 256; a++) assert.equal(multiply(a, invert(a)), 1);
  });
});
