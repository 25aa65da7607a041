/** Keys and values over gRPC: given out where the vendor's policy allows it, refused by name elsewhere, checked like any other request. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import type { Metadata } from '@grpc/grpc-js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import type { KeyValuesRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/KeyValuesRequest.js';
import { decodeTensor, encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { wireDTypeNames } from '../../../src/protocol/wire/wire-dtype.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const D = 8;
const rows = (...shape: number[]): Tensor<'float32'> =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1)),
  );

async function refused(run: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  const error = await run.then(
    () => assert.fail(`expected ${code}, got an answer`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CutlayerError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
}

describe('keys and values over gRPC', () => {
  let running: TestGateway;
  let calls: SplitCalls;
  let metadata: Metadata;
  let digest: string;

  before(async () => {
    running = await startTestGateway({ start: { allowPrefixInit: true, maxVirtualTokens: 8, maxTokens: 64 } });
    calls = splitCalls(running.connect());
    metadata = bearer(await running.token());
    digest = running.gateway.backboneDigest;
  });
  after(() => running.close());

  const request = (change: KeyValuesRequest = {}): KeyValuesRequest => ({
    backboneDigest: digest,
    hiddenStates: encodeTensor(rows(1, 5, D), 'f32'),
    ...change,
  });

  it('says in the model card that it gives them out', async () => {
    assert.equal((await calls.getModel(metadata)).prefixInit, true);
  });

  for (const dtype of wireDTypeNames) {
    it(`${dtype}: answers with what the engine computes, laid out as a prefix, in the dtype of the request`, async () => {
      const sent = encodeTensor(rows(1, 5, D), dtype);
      const { keyValues } = await calls.keyValues(request({ hiddenStates: sent }), metadata);
      const received = decodeTensor({ scales: Buffer.alloc(0), ...sent } as never, { name: 'x', shape: [1, 5, D] });
      const direct = encodeTensor(await running.gateway.engine.keyValues({ tenant: 'direct', hiddenStates: received }), dtype);
      assert.deepEqual(keyValues?.shape, [2, 2, 5, 2, 4]);
      assert.equal(keyValues?.dtype, direct.dtype);
      assert.deepEqual(Buffer.from(keyValues?.data as Uint8Array), Buffer.from(direct.data as Uint8Array));
    });
  }

  it('answers in the dtype that is asked for', async () => {
    const { keyValues } = await calls.keyValues(request({ responseDtype: 'DTYPE_BF16' }), metadata);
    assert.equal(keyValues?.dtype, 'DTYPE_BF16');
  });

  it('counts the rows for the tenant', async () => {
    const text = await (await fetch(`http://${running.gateway.admin}/metrics`)).text();
    assert.match(text, /cutlayer_rows_total\{method="KeyValues",tenant="acme"\} \d+/);
  });

  const table: readonly [string, () => KeyValuesRequest, ErrorCode, RegExp][] = [
    ['nothing at all', () => ({}), 'BACKBONE_MISMATCH', /^backboneDigest: expected [0-9a-f]{64}/],
    ['the digest of another backbone', () => request({ backboneDigest: 'b'.repeat(64) }), 'BACKBONE_MISMATCH', /got b{64}/],
    [
      'no hidden states',
      () => ({ backboneDigest: digest }),
      'INVALID_ARGUMENT',
      /^hiddenStates: expected a tensor \[\*, \*, 8\], got none/,
    ],
    [
      'two sequences',
      () => request({ hiddenStates: encodeTensor(rows(2, 3, D), 'f32') }),
      'INVALID_SHAPE',
      /one sequence \[1, \*, 8\], got \[2, 3, 8\]/,
    ],
    ['rank 2', () => request({ hiddenStates: encodeTensor(rows(3, D), 'f32') }), 'INVALID_SHAPE', /got \[3, 8\]/],
    ['another width', () => request({ hiddenStates: encodeTensor(rows(1, 3, 4), 'f32') }), 'INVALID_SHAPE', /got \[1, 3, 4\]/],
    [
      'no tokens',
      () => request({ hiddenStates: { ...encodeTensor(rows(1, 1, D), 'f32'), shape: [1, 0, D], data: Buffer.alloc(0) } }),
      'INVALID_SHAPE',
      /got \[1, 0, 8\]/,
    ],
    [
      'more tokens than a prefix may have',
      () => request({ hiddenStates: encodeTensor(rows(1, 9, D), 'f32') }),
      'LIMIT_EXCEEDED',
      /virtual tokens\): expected at most 8, got 9/,
    ],
    [
      'a tensor cut short',
      () => request({ hiddenStates: { ...encodeTensor(rows(1, 3, D), 'f32'), data: Buffer.alloc(7) } }),
      'INVALID_SHAPE',
      /^hiddenStates/,
    ],
    [
      'NaN',
      () =>
        request({
          hiddenStates: { ...encodeTensor(rows(1, 1, D), 'f32'), data: Buffer.from(new Float32Array(D).fill(Number.NaN).buffer) },
        }),
      'NON_FINITE',
      /^hiddenStates/,
    ],
    ['an unknown dtype of the answer', () => request({ responseDtype: 99 as never }), 'INVALID_DTYPE', /^responseDtype/],
  ];
  for (const [what, make, code, message] of table) {
    it(`refuses ${what}, and goes on answering`, async () => {
      await refused(calls.keyValues(make(), metadata), code, message);
      assert.deepEqual((await calls.keyValues(request(), metadata)).keyValues?.shape, [2, 2, 5, 2, 4]);
    });
  }

  it('asks for the scope of training', async () => {
    const inferring = bearer(await running.token({ scopes: ['split:infer'] }));
    await refused(calls.keyValues(request(), inferring), 'SCOPE_MISSING', /scope train/);
  });

  it('refuses while it shuts down', async () => {
    const other = await startTestGateway({ start: { allowPrefixInit: true } });
    const token = bearer(await other.token());
    const calls = splitCalls(other.connect());
    await calls.getModel(token);
    const drained = other.gateway.server.drain(10_000);
    const error: unknown = await calls
      .keyValues(request({ backboneDigest: other.gateway.backboneDigest }), token)
      .catch((caught) => caught);
    // The connection is told to go at the same time: the call meets the one or the other, and may be sent again.
    assert.ok(error instanceof CutlayerError && ['DRAINING', 'UNAVAILABLE'].includes(error.code), String(error));
    assert.equal(error.retry, 'same');
    await drained;
    await other.close();
  });
});

describe('keys and values without the policy', () => {
  it('are refused by name, whatever was sent, by default; the card says so', async () => {
    const running = await startTestGateway();
    try {
      const calls = splitCalls(running.connect());
      const metadata = bearer(await running.token());
      assert.equal((await calls.getModel(metadata)).prefixInit, false);
      for (const request of [{}, { backboneDigest: running.gateway.backboneDigest, hiddenStates: encodeTensor(rows(1, 2, D), 'f32') }])
        await refused(calls.keyValues(request, metadata), 'PREFIX_INIT_REFUSED', /vendor's policy does not .*--init RANDOM/);
      await assert.rejects(running.gateway.engine.keyValues({ tenant: 'direct', hiddenStates: rows(1, 2, D) }), {
        code: 'PREFIX_INIT_REFUSED',
      });
    } finally {
      await running.close();
    }
  });

  it('cannot be allowed for a backbone that has no graph for them', async () => {
    const { dir, manifest } = await tinyBackbone({ hiddenSize: 8, numLayers: 1, keyValues: false });
    try {
      assert.equal(manifest.graphs.keyValues, undefined);
      await assert.rejects(startTestGateway({ backboneDir: dir, start: { allowPrefixInit: true } }), {
        code: 'INVALID_ARTIFACT',
        message: /no graph of keys and values/,
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
