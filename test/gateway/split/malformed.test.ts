/**
 * Requests that no client of ours would send. Each is told what is wrong in a typed error, and the gateway goes on answering, which is
 * asked after each.
 */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { Metadata } from '@grpc/grpc-js';
import { exportSPKI } from 'jose';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { BackwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { Tensor } from '../../../src/protocol/wire/generated/cutlayer/v1/Tensor.js';
import { loadSplitService } from '../../../src/protocol/wire/split-service.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { bearer, promised, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const D = 8;
const { service } = loadSplitService();
const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
const halves = (...bits: number[]): Buffer => Buffer.from(Uint16Array.from(bits).buffer);
const ones = (...shape: number[]): Tensor => encodeTensor(f32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5)), 'f32');
const zeros = (count: number): Buffer => Buffer.alloc(count);

let running: TestGateway;
let calls: SplitCalls;
let metadata: Metadata;
let digest: string;

/** A good forward of 2 sequences of 3 tokens, with a soft prompt of 2 rows, unless changed. */
const forward = (change: ForwardRequest = {}): ForwardRequest => ({
  stepId: 'step',
  backboneDigest: digest,
  hiddenStates: ones(2, 3, D),
  lengths: [3, 2],
  softPrompt: ones(2, D),
  ...change,
});
const without = (field: keyof ForwardRequest): ForwardRequest => {
  const { [field]: _, ...rest } = forward();
  return rest;
};
const hidden = (change: Tensor): ForwardRequest => forward({ hiddenStates: { ...ones(2, 3, D), ...change } });
const prefixed = (prefix: Tensor): ForwardRequest => ({ ...without('softPrompt'), prefix });
const int8 = (scales: Buffer): ForwardRequest => hidden({ dtype: 'DTYPE_INT8', data: zeros(2 * 3 * D), scales });

async function refused(run: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await run.then(
    () => assert.fail(`expected ${code}, got an answer`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CutlayerError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
}

describe('malformed requests', () => {
  before(async () => {
    running = await startTestGateway({ start: { maxBatch: 4, maxTokens: 64, maxVirtualTokens: 8 } });
    calls = splitCalls(running.connect());
    metadata = bearer(await running.token());
    digest = running.gateway.backboneDigest;
  });
  after(() => running.close());
  afterEach('the gateway still answers', async () => {
    assert.equal((await calls.getModel(metadata)).backboneDigest, digest);
    const { hiddenStates } = await calls.forward(forward({ stepId: randomUUID() }), metadata);
    assert.deepEqual(hiddenStates?.shape, [2 + 2 * 3, D]);
  });

  describe('Forward', () => {
    const table: readonly [string, () => ForwardRequest, ErrorCode, RegExp][] = [
      ['nothing at all', () => ({}), 'INVALID_ARGUMENT', /^stepId: expected 1 to 64/],
      ['an empty step id', () => forward({ stepId: '' }), 'INVALID_ARGUMENT', /^stepId: .*got 0 characters/],
      ['a step id of 65 characters', () => forward({ stepId: 'x'.repeat(65) }), 'INVALID_ARGUMENT', /^stepId: .*got 65/],
      ['a step id with a space', () => forward({ stepId: 'a b' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step id with a slash', () => forward({ stepId: '../a' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step id with a line break', () => forward({ stepId: 'a\nb' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step id that ends in a line break', () => forward({ stepId: 'a\n' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step id with a NUL', () => forward({ stepId: 'a\0' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step id with an accent', () => forward({ stepId: 'é' }), 'INVALID_ARGUMENT', /^stepId:/],
      ['no digest', () => forward({ backboneDigest: '' }), 'BACKBONE_MISMATCH', /^backboneDigest: expected [0-9a-f]{64}/],
      [
        'the digest of another backbone',
        () => forward({ backboneDigest: 'a'.repeat(64) }),
        'BACKBONE_MISMATCH',
        /got a{64}; use the client bundle/,
      ],
      ['the digest in capitals', () => forward({ backboneDigest: digest.toUpperCase() }), 'BACKBONE_MISMATCH', /^backboneDigest:/],
      ['half the digest', () => forward({ backboneDigest: digest.slice(32) }), 'BACKBONE_MISMATCH', /^backboneDigest:/],
      ['no hidden states', () => without('hiddenStates'), 'INVALID_ARGUMENT', /^hiddenStates: expected a tensor \[\*, \*, 8\], got none/],
      ['hidden states without an element type', () => hidden({ dtype: 'DTYPE_UNSPECIFIED' }), 'INVALID_DTYPE', /^hiddenStates\.dtype:/],
      ['hidden states of an unknown element type', () => hidden({ dtype: 77 as never }), 'INVALID_DTYPE', /got 77/],
      ['hidden states without a shape', () => hidden({ shape: [] }), 'INVALID_SHAPE', /^hiddenStates: expected \[\*, \*, 8\], got \[\]/],
      ['hidden states of rank 1', () => hidden({ shape: [6 * D] }), 'INVALID_SHAPE', /got \[48\]/],
      ['hidden states of rank 4', () => hidden({ shape: [1, 2, 3, D] }), 'INVALID_SHAPE', /got \[1, 2, 3, 8\]/],
      [
        'hidden states of another width',
        () => hidden({ shape: [2, 5, 12] }),
        'INVALID_SHAPE',
        /^hiddenStates: expected \[\*, \*, 8\], got \[2, 5, 12\]$/,
      ],
      ['a batch of none', () => hidden({ shape: [0, 3, D], data: zeros(0) }), 'INVALID_SHAPE', /got \[0, 3, 8\]/],
      ['sequences of no tokens', () => hidden({ shape: [2, 0, D], data: zeros(0) }), 'INVALID_SHAPE', /got \[2, 0, 8\]/],
      [
        'a batch over the limit',
        () => forward({ hiddenStates: ones(5, 1, D), lengths: [1, 1, 1, 1, 1] }),
        'LIMIT_EXCEEDED',
        /batch: expected at most 4, got 5/,
      ],
      [
        'more rows than the limit',
        () => forward({ hiddenStates: ones(4, 16, D), lengths: [1, 1, 1, 1] }),
        'LIMIT_EXCEEDED',
        /^rows .*at most 64, got 66/,
      ],
      [
        'dims whose product overflows',
        () => hidden({ shape: [4294967295, 4294967295, D] }),
        'LIMIT_EXCEEDED',
        /^hiddenStates: expected at most/,
      ],
      [
        'dims of gigabytes with bytes of a few',
        () => hidden({ shape: [16384, 2048, D] }),
        'INVALID_SHAPE',
        /expected 1073741824 bytes .* got 192/,
      ],
      [
        'a payload one byte short',
        () => hidden({ data: zeros(191) }),
        'INVALID_SHAPE',
        /^hiddenStates\.data: expected 192 bytes for \[2, 3, 8\] f32, got 191/,
      ],
      ['a payload one byte long', () => hidden({ data: zeros(193) }), 'INVALID_SHAPE', /got 193/],
      ['no payload', () => hidden({ data: zeros(0) }), 'INVALID_SHAPE', /got 0/],
      ['an f16 payload of the bytes of f32', () => hidden({ dtype: 'DTYPE_F16' }), 'INVALID_SHAPE', /expected 96 bytes .* f16, got 192/],
      ['scales beside f32', () => hidden({ scales: zeros(24) }), 'INVALID_SHAPE', /^hiddenStates\.scales: expected 0 bytes/],
      ['NaN', () => hidden({ data: floats(...Array(47).fill(0), Number.NaN) }), 'NON_FINITE', /^hiddenStates: expected finite/],
      ['infinity', () => hidden({ data: floats(Number.POSITIVE_INFINITY, ...Array(47).fill(0)) }), 'NON_FINITE', /^hiddenStates:/],
      [
        'negative infinity',
        () => hidden({ data: floats(...Array(24).fill(1), Number.NEGATIVE_INFINITY, ...Array(23).fill(0)) }),
        'NON_FINITE',
        /^hiddenStates:/,
      ],
      ['an f16 NaN', () => hidden({ dtype: 'DTYPE_F16', data: halves(...Array(47).fill(0), 0x7e00) }), 'NON_FINITE', /^hiddenStates:/],
      [
        'a bf16 infinity',
        () => hidden({ dtype: 'DTYPE_BF16', data: halves(0xff80, ...Array(47).fill(0)) }),
        'NON_FINITE',
        /^hiddenStates:/,
      ],
      ['int8 without scales', () => int8(zeros(0)), 'INVALID_SHAPE', /^hiddenStates\.scales: expected 24 bytes .*got 0/],
      ['int8 with one scale for all', () => int8(floats(1)), 'INVALID_SHAPE', /^hiddenStates\.scales: expected 24 bytes .*got 4/],
      ['int8 with a scale of NaN', () => int8(floats(1, 1, 1, 1, 1, Number.NaN)), 'NON_FINITE', /^hiddenStates\.scales:/],
      ['int8 with a negative scale', () => int8(floats(1, 1, -1, 1, 1, 1)), 'NON_FINITE', /^hiddenStates\.scales:/],
      [
        'int8 whose scale makes its values overflow',
        () => ({
          ...int8(floats(1, 1, 1, 1, 1, 3.4e38)),
          hiddenStates: { ...int8(floats(1, 1, 1, 1, 1, 3.4e38)).hiddenStates, data: Buffer.alloc(48, 127) },
        }),
        'NON_FINITE',
        /^hiddenStates:/,
      ],
      ['no lengths', () => forward({ lengths: [] }), 'INVALID_ARGUMENT', /^lengths: expected 2, one per batch row, got 0/],
      ['a length too few', () => forward({ lengths: [3] }), 'INVALID_ARGUMENT', /^lengths: .*got 1/],
      ['a length too many', () => forward({ lengths: [3, 2, 1] }), 'INVALID_ARGUMENT', /^lengths: .*got 3/],
      [
        'packed rows that are fewer than their lengths add up to',
        () => forward({ hiddenStates: ones(4, D) }),
        'INVALID_ARGUMENT',
        /^lengths: expected a sum of 4, the packed rows of hiddenStates, got 5/,
      ],
      ['packed rows without lengths', () => forward({ hiddenStates: ones(5, D), lengths: [] }), 'INVALID_ARGUMENT', /^lengths: .*got 0/],
      [
        'an empty packed sequence',
        () => forward({ hiddenStates: ones(5, D), lengths: [5, 0] }),
        'INVALID_ARGUMENT',
        /^lengths: expected at least 1, got 0 at row 1/,
      ],
      [
        'packed rows of more sequences than the limit',
        () => forward({ hiddenStates: ones(5, D), lengths: [1, 1, 1, 1, 1] }),
        'LIMIT_EXCEEDED',
        /^hiddenStates batch: expected at most 4, got 5/,
      ],
      [
        'packed rows that are too many with the padding that is computed',
        () => forward({ hiddenStates: ones(23, D), lengths: [20, 1, 1, 1] }),
        'LIMIT_EXCEEDED',
        /^rows \(batch \* sequence \+ virtual tokens\): expected at most 64, got 82/,
      ],
      [
        'a row beyond the packed ones',
        () => forward({ hiddenStates: ones(5, D), positions: [7] }),
        'INVALID_ARGUMENT',
        /^positions: expected rows below 7, got 7 at index 0/,
      ],
      ['an empty sequence', () => forward({ lengths: [3, 0] }), 'INVALID_ARGUMENT', /^lengths: expected 1 to 3, got 0 at row 1/],
      [
        'a sequence longer than its row',
        () => forward({ lengths: [4, 2] }),
        'INVALID_ARGUMENT',
        /^lengths: expected 1 to 3, got 4 at row 0/,
      ],
      [
        'a soft prompt of another width',
        () => forward({ softPrompt: ones(2, D + 1) }),
        'INVALID_SHAPE',
        /^softPrompt: expected \[\*, 8\], got \[2, 9\]/,
      ],
      ['a soft prompt of rank 1', () => forward({ softPrompt: ones(D) }), 'INVALID_SHAPE', /^softPrompt:/],
      ['a soft prompt per sequence', () => forward({ softPrompt: ones(2, 2, D) }), 'INVALID_SHAPE', /^softPrompt: .*got \[2, 2, 8\]/],
      [
        'a soft prompt of no rows',
        () => forward({ softPrompt: { ...ones(1, D), shape: [0, D], data: zeros(0) } }),
        'INVALID_SHAPE',
        /^softPrompt: .*got \[0, 8\]/,
      ],
      [
        'a soft prompt over the limit',
        () => forward({ softPrompt: ones(9, D) }),
        'LIMIT_EXCEEDED',
        /^softPrompt virtual tokens: expected at most 8, got 9/,
      ],
      [
        'a soft prompt with NaN',
        () => forward({ softPrompt: { ...ones(1, D), data: floats(...Array(7).fill(0), Number.NaN) } }),
        'NON_FINITE',
        /^softPrompt:/,
      ],
      [
        'a soft prompt cut short',
        () => forward({ softPrompt: { ...ones(2, D), data: zeros(60) } }),
        'INVALID_SHAPE',
        /^softPrompt\.data: expected 64 bytes/,
      ],
      ['an empty soft prompt message', () => forward({ softPrompt: {} }), 'INVALID_DTYPE', /^softPrompt\.dtype:/],
      [
        'a prefix of another depth',
        () => prefixed(ones(3, 2, 2, 2, 4)),
        'INVALID_SHAPE',
        /^prefix: expected \[2, 2, \*, 2, 4\], got \[3, 2, 2, 2, 4\]/,
      ],
      ['a prefix of keys without values', () => prefixed(ones(2, 1, 2, 2, 4)), 'INVALID_SHAPE', /^prefix:/],
      ['a prefix with too many heads', () => prefixed(ones(2, 2, 2, 4, 4)), 'INVALID_SHAPE', /^prefix:/],
      ['a prefix with another head width', () => prefixed(ones(2, 2, 2, 2, 8)), 'INVALID_SHAPE', /^prefix:/],
      ['a prefix of rank 4', () => prefixed(ones(2, 2, 2, 8)), 'INVALID_SHAPE', /^prefix:/],
      ['a prefix of no tokens', () => prefixed({ ...ones(1), shape: [2, 2, 0, 2, 4], data: zeros(0) }), 'INVALID_SHAPE', /^prefix:/],
      [
        'a prefix over the limit',
        () => prefixed(ones(2, 2, 9, 2, 4)),
        'LIMIT_EXCEEDED',
        /^prefix virtual tokens: expected at most 8, got 9/,
      ],
      [
        'a prefix with infinity',
        () => prefixed({ ...ones(2, 2, 1, 2, 4), data: floats(...Array(31).fill(0), Number.POSITIVE_INFINITY) }),
        'NON_FINITE',
        /^prefix:/,
      ],
      [
        'positions that repeat',
        () => forward({ positions: [1, 1] }),
        'INVALID_ARGUMENT',
        /^positions: .*strictly increasing.*got 1 after 1 at index 1/,
      ],
      ['positions that go back', () => forward({ positions: [4, 2] }), 'INVALID_ARGUMENT', /^positions: .*got 2 after 4/],
      [
        'a position behind the last row',
        () => forward({ positions: [0, 8] }),
        'INVALID_ARGUMENT',
        /^positions: expected rows below 8, got 8/,
      ],
      ['a position of 2^32 - 1', () => forward({ positions: [4294967295] }), 'INVALID_ARGUMENT', /^positions: .*4294967295/],
      ['a position on padding', () => forward({ positions: [2, 7] }), 'INVALID_ARGUMENT', /^positions: .*row 7, which is padding/],
      [
        'a position of the soft prompt when there is a prefix',
        () => ({ ...prefixed(ones(2, 2, 2, 2, 4)), positions: [7] }),
        'INVALID_ARGUMENT',
        /^positions: expected rows below 6/,
      ],
      [
        'more positions than rows can be',
        () => forward({ positions: Array.from({ length: 65 }, (_, i) => i) }),
        'LIMIT_EXCEEDED',
        /^positions: expected at most 64 values/,
      ],
      ['an answer in an unknown element type', () => forward({ responseDtype: 9 as never }), 'INVALID_DTYPE', /^responseDtype: .*got 9/],
      [
        'a step id that is in use with other inputs',
        () => forward({ stepId: 'used', hiddenStates: ones(2, 2, D), lengths: [2, 2], training: true }),
        'STEP_CONFLICT',
        /used|step/i,
      ],
    ];
    before(() => calls.forward(forward({ stepId: 'used', training: true }), metadata));
    for (const [what, make, code, message] of table) {
      it(`refuses ${what}`, () => refused(calls.forward(make(), metadata), code, message));
    }
  });

  describe('Backward', () => {
    const table: readonly [string, () => BackwardRequest, ErrorCode, RegExp][] = [
      ['nothing at all', () => ({}), 'INVALID_ARGUMENT', /^stepId:/],
      ['a bad step id', () => ({ stepId: 'a/b', cotangent: ones(8, D) }), 'INVALID_ARGUMENT', /^stepId:/],
      ['a step that never was', () => ({ stepId: 'never', cotangent: ones(8, D) }), 'STEP_EVICTED', /forward again|step/i],
      ['no cotangent', () => ({ stepId: 'kept' }), 'INVALID_ARGUMENT', /^cotangent: expected a tensor \[\*, 8\], got none/],
      ['a cotangent of rank 3', () => ({ stepId: 'kept', cotangent: ones(2, 4, D) }), 'INVALID_SHAPE', /^cotangent:/],
      [
        'a cotangent of another width',
        () => ({ stepId: 'kept', cotangent: ones(8, 4) }),
        'INVALID_SHAPE',
        /^cotangent: expected \[\*, 8\], got \[8, 4\]/,
      ],
      [
        'a cotangent of fewer rows than were answered',
        () => ({ stepId: 'kept', cotangent: ones(7, D) }),
        'INVALID_SHAPE',
        /^cotangent: .*\[7, 8\]/,
      ],
      [
        'a cotangent of more rows than were answered',
        () => ({ stepId: 'kept', cotangent: ones(9, D) }),
        'INVALID_SHAPE',
        /^cotangent: .*\[9, 8\]/,
      ],
      [
        'a cotangent of more rows than a step may have',
        () => ({ stepId: 'kept', cotangent: ones(65, D) }),
        'LIMIT_EXCEEDED',
        /^cotangent rows: expected at most 64/,
      ],
      [
        'a cotangent with NaN',
        () => ({ stepId: 'kept', cotangent: { ...ones(8, D), data: floats(...Array(63).fill(0), Number.NaN) } }),
        'NON_FINITE',
        /^cotangent:/,
      ],
      [
        'a cotangent cut short',
        () => ({ stepId: 'kept', cotangent: { ...ones(8, D), data: zeros(255) } }),
        'INVALID_SHAPE',
        /^cotangent\.data:/,
      ],
      [
        'a cotangent without an element type',
        () => ({ stepId: 'kept', cotangent: { ...ones(8, D), dtype: 0 } }),
        'INVALID_DTYPE',
        /^cotangent\.dtype:/,
      ],
      [
        'an answer in an unknown element type',
        () => ({ stepId: 'kept', cotangent: ones(8, D), responseDtype: 9 as never }),
        'INVALID_DTYPE',
        /^responseDtype:/,
      ],
    ];
    before(() => calls.forward(forward({ stepId: 'kept', training: true }), metadata));
    for (const [what, make, code, message] of table) {
      it(`refuses ${what}`, () => refused(calls.backward(make(), metadata), code, message));
    }

    it('still has the step after all these refusals', async () => {
      const { adapterCotangent } = await calls.backward({ stepId: 'kept', cotangent: ones(8, D) }, metadata);
      assert.deepEqual(adapterCotangent?.shape, [2, D]);
    });

    it("refuses another tenant's step as one that never was", async () => {
      const other = bearer(await running.token({ tenant: 'other' }));
      await refused(calls.backward({ stepId: 'kept', cotangent: ones(8, D) }, other), 'STEP_EVICTED', /step/i);
    });
  });

  describe('messages that are not messages', () => {
    const bytes = (...values: number[]) => Buffer.from(values);
    const identity = (value: Buffer): Buffer => value;
    const whole = () => service.Forward.requestSerialize(forward());
    const table: readonly [string, () => Buffer, ErrorCode, RegExp][] = [
      ['text', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'INVALID_ARGUMENT', /./],
      ['JSON', () => Buffer.from('{"stepId": "a"}'), 'INVALID_ARGUMENT', /./],
      ['bytes of 0xff', () => Buffer.alloc(100, 0xff), 'INVALID_ARGUMENT', /at most 10 bytes/],
      ['bytes of zero', () => zeros(100), 'INVALID_ARGUMENT', /field number/],
      ['a message cut in its middle', () => whole().subarray(0, whole().length >> 1), 'INVALID_ARGUMENT', /./],
      ['a message less its last byte', () => whole().subarray(0, -1), 'INVALID_ARGUMENT', /./],
      ['a message with a byte too many', () => Buffer.concat([whole(), bytes(0x80)]), 'INVALID_ARGUMENT', /ends inside/],
      ['two messages in one', () => Buffer.concat([whole(), whole()]), 'INVALID_ARGUMENT', /at most once/],
      ['a group', () => bytes(0x0b, 0x0c), 'INVALID_ARGUMENT', /wire type 3/],
      ['a number where the step id belongs', () => bytes(0x08, 0x01), 'INVALID_ARGUMENT', /^stepId: expected a string field/],
      ['a text where the training flag belongs', () => bytes(0x42, 0x01, 0x61), 'INVALID_ARGUMENT', /^training:/],
      [
        'a tensor said to be longer than the message',
        () => bytes(0x1a, 0xff, 0xff, 0xff, 0x7f),
        'INVALID_ARGUMENT',
        /^hiddenStates: expected a value of/,
      ],
      ['a tensor with a length of 64 bits', () => bytes(0x1a, ...Array(9).fill(0xff), 0x01), 'INVALID_ARGUMENT', /^hiddenStates:/],
      [
        'thousands of dims',
        () => Buffer.concat([bytes(0x1a, 0x88, 0x27, 0x12, 0x85, 0x27), Buffer.alloc(4997, 1)]),
        'LIMIT_EXCEEDED',
        /^hiddenStates\.shape: expected at most 16/,
      ],
      [
        'a dim beyond 32 bits',
        () => bytes(0x1a, 0x07, 0x12, 0x05, 0x80, 0x80, 0x80, 0x80, 0x10),
        'INVALID_ARGUMENT',
        /^hiddenStates\.shape: .*32-bit/,
      ],
      ['a step id that is not UTF-8', () => bytes(0x0a, 0x02, 0xc3, 0x28), 'INVALID_ARGUMENT', /^stepId:/],
      [
        'a step id of kilobytes',
        () => Buffer.concat([bytes(0x0a, 0x80, 0x20), Buffer.alloc(4096, 97)]),
        'LIMIT_EXCEEDED',
        /^stepId: expected at most 1024/,
      ],
    ];
    for (const [what, make, code, message] of table) {
      it(`refuses ${what}`, async () => {
        const client = running.connect();
        const options = { deadline: Date.now() + 120_000 };
        const { path } = service.Forward;
        await refused(
          promised((done) => client.makeUnaryRequest(path, identity, identity, make(), metadata, options, done)),
          code,
          message,
        );
      });
    }

    it('refuses every truncation of a good message, and every message with one byte changed, or answers it', async () => {
      const client = running.connect();
      const good = whole();
      for (let at = 0; at < good.length; at += 3) {
        const flipped = Buffer.from(good);
        flipped[at] = flipped[at]! ^ 0xa5;
        for (const message of [good.subarray(0, at), flipped]) {
          const call = promised((done) =>
            client.makeUnaryRequest(service.Forward.path, identity, identity, message, metadata, { deadline: Date.now() + 120_000 }, done),
          );
          const error = await call.then(
            () => undefined,
            (caught: unknown) => caught as CutlayerError,
          );
          assert.notEqual(error?.code, 'INTERNAL', `byte ${at}: ${error?.message}`);
        }
      }
    }).timeout(180_000);
  });

  describe('tokens', () => {
    const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = () => Math.floor(Date.now() / 1000);
    const claims = (change: object = {}) => ({
      iss: running.identity.issuer,
      aud: running.identity.audience,
      iat: now(),
      exp: now() + 600,
      jti: 'id',
      scope: 'split:train split:infer',
      tenant: 'acme',
      ...change,
    });
    async function signed(header: object, payload: object): Promise<string> {
      const { kid, key } = await running.ring.signingKey();
      const input = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })}.${b64(payload)}`;
      return `${input}.${Buffer.from(await crypto.subtle.sign('Ed25519', key, Buffer.from(input))).toString('base64url')}`;
    }
    const header = (value: string): Metadata => {
      const out = new Metadata();
      out.set('authorization', value);
      return out;
    };
    const bearerOf = async (token: Promise<string>) => bearer(await token);

    const table: readonly [string, () => Promise<Metadata>, ErrorCode, RegExp][] = [
      ['none', async () => new Metadata(), 'TOKEN_MISSING', /^authorization: expected/],
      ['an empty one', async () => header(''), 'TOKEN_MISSING', /^authorization:/],
      ['one of another scheme', async () => header('Basic YTpi'), 'TOKEN_MISSING', /^authorization:/],
      ['a scheme without a token', async () => header('Bearer '), 'TOKEN_MISSING', /^authorization:/],
      ['two words', async () => header('Bearer a b'), 'TOKEN_MISSING', /^authorization:/],
      ['garbage', async () => bearer('garbage'), 'TOKEN_INVALID', /^token: invalid$/],
      ['dots', async () => bearer('..'), 'TOKEN_INVALID', /^token: invalid$/],
      [
        'one that has expired',
        () => bearerOf(signed({}, claims({ iat: now() - 900, exp: now() - 60 }))),
        'TOKEN_EXPIRED',
        /^token: expired/,
      ],
      ['one for another gateway', () => bearerOf(signed({}, claims({ aud: 'other' }))), 'TOKEN_INVALID', /^token: invalid$/],
      ['one by another issuer', () => bearerOf(signed({}, claims({ iss: 'other' }))), 'TOKEN_INVALID', /^token: invalid$/],
      ['one of the future', () => bearerOf(signed({}, claims({ nbf: now() + 600 }))), 'TOKEN_INVALID', /^token: invalid$/],
      ['one without an expiry', () => bearerOf(signed({}, claims({ exp: undefined }))), 'TOKEN_INVALID', /^token: invalid$/],
      ['one without a tenant', () => bearerOf(signed({}, claims({ tenant: undefined }))), 'TOKEN_INVALID', /^token: invalid$/],
      [
        'one of a tenant with a path for a name',
        () => bearerOf(signed({}, claims({ tenant: '../root' }))),
        'TOKEN_INVALID',
        /^token: invalid$/,
      ],
      ['one of type JWT', () => bearerOf(signed({ typ: 'JWT' }, claims())), 'TOKEN_INVALID', /^token: invalid$/],
      ['one by an unknown key', () => bearerOf(signed({ kid: 'other' }, claims())), 'TOKEN_INVALID', /^token: invalid$/],
      [
        'one of algorithm none',
        async () => bearer(`${b64({ alg: 'none', typ: 'at+jwt' })}.${b64(claims())}.`),
        'TOKEN_INVALID',
        /^token: invalid$/,
      ],
      [
        'one signed with HMAC under the public key',
        async () => {
          const { kid } = await running.ring.signingKey();
          const input = `${b64({ alg: 'HS256', typ: 'at+jwt', kid })}.${b64(claims())}`;
          const spki = await exportSPKI((await running.ring.publicKey(kid))!);
          return bearer(`${input}.${createHmac('sha256', spki).update(input).digest('base64url')}`);
        },
        'TOKEN_INVALID',
        /^token: invalid$/,
      ],
      [
        "one signed by a stranger's key under a known name",
        async () => {
          const { kid } = await running.ring.signingKey();
          const input = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid })}.${b64(claims())}`;
          return bearer(`${input}.${sign(null, Buffer.from(input), generateKeyPairSync('ed25519').privateKey).toString('base64url')}`);
        },
        'TOKEN_INVALID',
        /^token: invalid$/,
      ],
      [
        'one whose tenant was changed',
        async () => {
          const [head, , signature] = (await running.token()).split('.');
          return bearer(`${head}.${b64(claims({ tenant: 'other' }))}.${signature}`);
        },
        'TOKEN_INVALID',
        /^token: invalid$/,
      ],
      ['one cut short', async () => bearer((await running.token()).slice(0, -4)), 'TOKEN_INVALID', /^token: invalid$/],
      [
        'one without any scope of ours',
        () => bearerOf(signed({}, claims({ scope: 'admin' }))),
        'SCOPE_MISSING',
        /^token: this call needs the scope/,
      ],
    ];
    for (const [what, make, code, message] of table) {
      it(`refuses ${what}`, async () => refused(calls.getModel(await make()), code, message));
    }

    it('refuses a forward without a token before its message is read, however wrong that is', () =>
      refused(calls.forward({}, new Metadata()), 'TOKEN_MISSING', /^authorization:/));
  });

  describe('transport', () => {
    /** What an HTTP/2 request got. */
    interface Answer {
      readonly status: number | undefined;
      readonly grpcStatus: string | undefined;
      readonly message: string;
      readonly code: string | undefined;
    }

    const session = () => http2.connect(`https://${running.gateway.listen}`, { ca: running.ca, servername: 'localhost' });

    /** Sends a raw request: headers over the usual ones, body as it is. */
    async function send(headers: http2.OutgoingHttpHeaders, body: Buffer | undefined): Promise<Answer> {
      const connection = session();
      try {
        const stream = connection.request({
          ':method': 'POST',
          ':path': service.Forward.path,
          'content-type': 'application/grpc',
          te: 'trailers',
          'grpc-timeout': '20S',
          authorization: `Bearer ${await running.token()}`,
          ...headers,
        });
        const answer = new Promise<Answer>((resolve, reject) => {
          let seen: http2.IncomingHttpHeaders = {};
          stream.on('response', (received) => {
            seen = { ...seen, ...received };
          });
          stream.on('trailers', (received) => {
            seen = { ...seen, ...received };
          });
          stream.on('error', reject);
          stream.on('close', () => {
            const text = (name: string): string | undefined => (seen[name] === undefined ? undefined : String(seen[name]));
            resolve({
              status: seen[':status'] === undefined ? undefined : Number(seen[':status']),
              grpcStatus: text('grpc-status'),
              message: decodeURIComponent(text('grpc-message') ?? ''),
              code: text('cutlayer-error-code'),
            });
          });
        });
        stream.resume();
        if (body === undefined) stream.end();
        else stream.end(body);
        return await answer;
      } finally {
        connection.destroy();
      }
    }

    /** The five bytes before a message: compressed or not, its length. */
    const frame = (body: Buffer, { compressed = 0, length = body.length } = {}): Buffer => {
      const head = Buffer.alloc(5);
      head.writeUInt8(compressed, 0);
      head.writeUInt32BE(length, 1);
      return Buffer.concat([head, body]);
    };
    const good = () => frame(service.Forward.requestSerialize(forward({ stepId: randomUUID() })));

    it('answers a good raw request, so that the refusals below are due to their one difference', async () => {
      assert.equal((await send({}, good())).grpcStatus, '0');
    });

    it('refuses a call without a deadline', () =>
      refused(calls.getModel(metadata, {}), 'DEADLINE_REQUIRED', /^deadline: expected one on every call/));

    const table: readonly [string, http2.OutgoingHttpHeaders, () => Buffer | undefined, Partial<Record<keyof Answer, unknown>>][] = [
      ['a deadline that is not a time', { 'grpc-timeout': 'soon' }, good, { code: 'DEADLINE_REQUIRED' }],
      ['a deadline that has passed', { 'grpc-timeout': '1n' }, good, { grpcStatus: '4' }],
      ['an unknown method', { ':path': '/cutlayer.v1.Split/Layer' }, good, { grpcStatus: '12' }],
      ['an unknown service', { ':path': '/other.v1.Split/Forward' }, good, { grpcStatus: '12' }],
      ['a path without a method', { ':path': '/' }, good, { grpcStatus: '12' }],
      ['a method in another case', { ':path': '/cutlayer.v1.Split/forward' }, good, { grpcStatus: '12' }],
      ['another content type', { 'content-type': 'application/json' }, good, { status: 415 }],
      ['no content type', { 'content-type': '' }, good, { status: 415 }],
      [
        'a message over the limit',
        {},
        () => frame(zeros(300_000)),
        { grpcStatus: '8', code: 'MESSAGE_TOO_LARGE', message: /at most 134784 bytes, got 300000/ },
      ],
      [
        'a message said to be of 4 GiB',
        {},
        () => frame(zeros(10), { length: 0xffffffff }),
        { grpcStatus: '8', code: 'MESSAGE_TOO_LARGE', message: /at most 134784 bytes, got 4294967295/ },
      ],
      [
        'a compressed message that is not',
        { 'grpc-encoding': 'gzip' },
        () => frame(zeros(100), { compressed: 1 }),
        { grpcStatus: '12', code: 'UNIMPLEMENTED', message: /^grpc-encoding: expected identity/ },
      ],
      [
        'a message in an unknown compression',
        { 'grpc-encoding': 'zpaq' },
        () => frame(zeros(100), { compressed: 1 }),
        { grpcStatus: '12', code: 'UNIMPLEMENTED', message: /^grpc-encoding: expected identity/ },
      ],
      [
        'a small message that unpacks to 64 MiB',
        { 'grpc-encoding': 'gzip' },
        () => frame(gzipSync(zeros(2 ** 26)), { compressed: 1 }),
        { grpcStatus: '12', code: 'UNIMPLEMENTED', message: /^grpc-encoding: expected identity/ },
      ],
      [
        'a message that says it is compressed, without an encoding',
        {},
        () => frame(zeros(100), { compressed: 1 }),
        { grpcStatus: '12', code: 'UNIMPLEMENTED', message: /expected an uncompressed message/ },
      ],
      ['no message', {}, () => undefined, { grpcStatus: '12' }],
      ['two messages', {}, () => Buffer.concat([good(), good()]), { grpcStatus: '12' }],
      ['a garbage frame', {}, () => frame(Buffer.alloc(64, 0xee)), { code: 'INVALID_ARGUMENT' }],
      ['an empty message', {}, () => frame(zeros(0)), { code: 'INVALID_ARGUMENT', message: /^stepId/ }],
      ['no token', { authorization: '' }, good, { code: 'TOKEN_MISSING', grpcStatus: '16' }],
    ];
    for (const [what, headers, body, wanted] of table) {
      it(`refuses ${what}`, async () => {
        const answer = await send(headers, body());
        for (const [key, value] of Object.entries(wanted)) {
          const got = answer[key as keyof Answer];
          if (value instanceof RegExp) assert.match(String(got), value);
          else assert.equal(got, value, JSON.stringify(answer));
        }
      });
    }

    it('refuses a compressed message, even a right one, as gRPC allows', async () => {
      const body = gzipSync(service.Forward.requestSerialize(forward({ stepId: randomUUID() })));
      assert.equal((await send({ 'grpc-encoding': 'gzip' }, frame(body, { compressed: 1 }))).code, 'UNIMPLEMENTED');
    });

    /** Whether bytes of HTTP/2 hold a GOAWAY frame. */
    function saysGoAway(received: Buffer): boolean {
      for (let at = 0; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3)) if (received[at + 3] === 7) return true;
      return false;
    }

    /** Speaks other than HTTP/2 to the port until the gateway hangs up, or says that it will. */
    async function babble(bytes: Buffer, secure: boolean): Promise<void> {
      const [host, port] = running.gateway.listen.split(':') as [string, string];
      const socket = secure
        ? tls.connect({ host, port: Number(port), ca: running.ca, servername: 'localhost', ALPNProtocols: ['h2'] })
        : net.connect(Number(port), host);
      await new Promise<void>((resolve) => {
        let received = Buffer.alloc(0);
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.on('data', (chunk: Buffer) => {
          received = Buffer.concat([received, chunk]);
          if (secure && saysGoAway(received)) socket.destroy();
        });
        socket.once(secure ? 'secureConnect' : 'connect', () => socket.write(bytes));
      });
    }
    const noise = Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 167 + 13) % 256));
    it('hangs up on plain text where TLS belongs', () => babble(Buffer.from('GET / HTTP/1.1\r\n\r\n'), false));
    it('hangs up on noise where TLS belongs', () => babble(noise, false));
    it('hangs up on noise where HTTP/2 belongs', () => babble(noise, true));
    it('hangs up on HTTP/1.1 where HTTP/2 belongs', () =>
      babble(Buffer.from('POST /cutlayer.v1.Split/Forward HTTP/1.1\r\nhost: x\r\n\r\n'), true));
    it('hangs up on a frame of a forbidden size', () =>
      babble(
        Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('000000040000000000ffffff000000000000', 'hex')]),
        true,
      ));

    it('survives a caller that vanishes in the middle of a message', async () => {
      const connection = session();
      const stream = connection.request({
        ':method': 'POST',
        ':path': service.Forward.path,
        'content-type': 'application/grpc',
        te: 'trailers',
        'grpc-timeout': '20S',
        authorization: `Bearer ${await running.token()}`,
      });
      stream.on('error', () => undefined);
      await new Promise<void>((resolve) => stream.write(frame(zeros(1000), { length: 50_000 }), () => resolve()));
      connection.destroy();
    });

    it('refuses headers beyond the limit of HTTP/2 and survives', async () => {
      const connection = session();
      connection.on('error', () => undefined);
      await new Promise<void>((resolve) => {
        const stream = connection.request({
          ':method': 'POST',
          ':path': service.Forward.path,
          'content-type': 'application/grpc',
          authorization: 'x'.repeat(60_000),
          'x-more': 'y'.repeat(60_000),
        });
        stream.on('error', () => undefined);
        stream.on('response', ({ ':status': code, 'grpc-status': grpc }) => assert.ok(code !== 200 || grpc !== '0'));
        stream.on('close', () => resolve());
        stream.resume();
        stream.end();
      });
      connection.destroy();
    });
  });
});
