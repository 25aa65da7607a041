/** Tenants on the path of calls: one gateway with a decoder of arithmetic, as clients see it. */
import assert from 'node:assert/strict';
import { credentials, type Metadata } from '@grpc/grpc-js';
import { CutlayerError } from '../../../src/errors.js';
import { loadDecodeService } from '../../../src/protocol/wire/decode-service.js';
import type { DecodeClient } from '../../../src/protocol/wire/generated/cutlayer/v1/Decode.js';
import type { DecodeRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/DecodeRequest.js';
import type { ForwardRequest } from '../../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import { fromServiceError } from '../../../src/protocol/wire/status.js';
import { encodeTensor } from '../../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../../src/tensor/tensor.js';
import { arithmeticDecoder } from '../../support/arithmetic-decoder.js';
import { openDecodeStream, type TestDecodeStream } from '../../support/decode-stream.js';
import { bearer, type SplitCalls, splitCalls, startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const rows = (...shape: number[]) =>
  encodeTensor(
    f32(
      shape,
      Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
    ),
    'f32',
  );

describe('tenants at a gateway', () => {
  let running: TestGateway;
  let calls: SplitCalls;
  let decode: DecodeClient;
  let digest: string;
  let number = 0;
  let acme: string;

  before(async () => {
    const decoder = () => ({ maxRows: 64, longRows: 0, maxBatch: 8, open: async () => arithmeticDecoder(64) });
    running = await startTestGateway({ start: { maxTokens: 64, allowPrefixInit: true, insecure: true }, decoder });
    calls = splitCalls(running.connect());
    decode = new (loadDecodeService())(running.gateway.listen, credentials.createInsecure());
    digest = running.gateway.backboneDigest;
  });
  after(async () => {
    decode.close();
    await running.close();
  });
  beforeEach(() => {
    acme = `acme-${number++}`;
  });

  const as = async (tenant: string): Promise<Metadata> => bearer(await running.token({ tenant, scopes: ['train', 'infer', 'model:read'] }));
  const forward = (stepId: string, count = 4): ForwardRequest => ({
    ...{ stepId, backboneDigest: digest, hiddenStates: rows(1, count, 8), lengths: [count], positions: [], training: true },
  });
  const backward = (stepId: string, count = 4) => ({ stepId, cotangent: rows(count, 8), wantHiddenStates: true });
  const opening = (sessionId: string): DecodeRequest => ({ open: { sessionId, backboneDigest: digest, maxRows: 16 } });
  const directory = () => running.gateway.tenants.directory;
  const refused = async (work: Promise<unknown>): Promise<CutlayerError> => {
    const error = await work.then(
      () => assert.fail('expected a refusal'),
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof CutlayerError, String(error));
    return error;
  };
  const limits = async (tenant: string, change: object) => {
    await directory().admit({ tenant, scopes: new Set(), tokenId: '', issuedAt: Date.now(), expiresAt: 0 });
    await directory().changed(await directory().store.bound(tenant, { limits: change }));
  };

  it('ends the calls and the streams of a suspended tenant, and of no other', async () => {
    const [own, other] = [openDecodeStream(decode, await as(acme)), openDecodeStream(decode, await as('bolt'))];
    for (const stream of [own, other]) await stream.ask(opening('x'));
    const next = refused(new Promise((_, reject) => own.call.once('error', (error) => reject(fromServiceError(error)))));
    await directory().changed(await directory().store.suspend(acme));
    assert.equal((await next).code, 'TENANT_SUSPENDED');
    assert.equal((await refused(calls.getModel(await as(acme)))).code, 'TENANT_SUSPENDED');
    await other.ask({ rollback: { length: 0 } });
    await other.end();
    await directory().changed(await directory().store.resume(acme));
    const again = openDecodeStream(decode, await as(acme));
    await again.ask({ resume: { sessionId: 'x', length: 0 } });
    await again.end();
  });

  it('forgets steps, sessions and kept rows of a deleted tenant, and refuses its token', async () => {
    const metadata = await as(acme);
    await calls.forward(forward('s'), metadata);
    const stream = openDecodeStream(decode, metadata);
    await stream.ask(opening('x'));
    const { stepsHeld } = running.gateway.engine.stats();
    await directory().changed(await directory().store.delete(acme));
    assert.equal(running.gateway.engine.stats().stepsHeld, stepsHeld - 1);
    assert.equal((await refused(stream.ask({ rollback: { length: 0 } }))).code, 'TENANT_DELETED');
    assert.equal((await refused(calls.getModel(metadata))).code, 'TENANT_DELETED');
    const later = bearer(await running.token({ tenant: acme }, Date.now() + 2000));
    assert.equal((await refused(calls.backward(backward('s'), later))).code, 'STEP_EVICTED');
    const fresh = openDecodeStream(decode, later);
    assert.equal((await refused(fresh.ask({ resume: { sessionId: 'x', length: 0 } }))).code, 'SESSION_EVICTED');
  });

  describe('with limits of their own', () => {
    it('answer RATE_LIMITED with the time to wait, for requests and for rows', async () => {
      const metadata = await as(acme);
      await limits(acme, { tokensPerDay: 10 });
      await calls.forward(forward('a', 6), metadata);
      const error = await refused(calls.forward(forward('b', 6), metadata));
      assert.deepEqual([error.code, error.details.limitName], ['RATE_LIMITED', 'tokensPerDay']);
      assert.ok(error.retryAfterMs! > 0 && error.retryAfterMs! <= 86_400_000);
      assert.equal((await refused(calls.forward(forward('c', 11), metadata))).code, 'LIMIT_EXCEEDED');
      assert.equal((await refused(calls.backward(backward('a', 6), metadata))).code, 'RATE_LIMITED');
      const stream = openDecodeStream(decode, metadata);
      await stream.ask(opening('x'));
      assert.equal((await refused(stream.ask({ append: { from: 0, rows: rows(5, 8) } }))).code, 'RATE_LIMITED');
      await limits(acme, { tokensPerDay: null, requestsPerSecond: 1 });
      const burst = await Promise.allSettled(Array.from({ length: 5 }, () => calls.getModel(metadata)));
      const codes = burst.flatMap((one) => (one.status === 'rejected' ? [CutlayerError.from(one.reason).code] : []));
      assert.ok(codes.length >= 3 && codes.every((code) => code === 'RATE_LIMITED'), codes.join());
    });

    it('give rows back that the gateway did not serve', async () => {
      const metadata = await as(acme);
      await limits(acme, { tokensPerDay: 4 });
      assert.equal((await refused(calls.backward(backward('never'), metadata))).code, 'STEP_EVICTED');
      await calls.forward(forward('a'), metadata);
    });

    it('bound sessions, bytes of calls and kept steps, and calls at once, each beside other tenants', async () => {
      const [metadata, other] = [await as(acme), await as('bolt')];
      await limits(acme, { decodeSessions: 1, inFlightBytes: 2000, residualBytes: 600, concurrentSteps: 1 });
      const streams: TestDecodeStream[] = [];
      const open = async (id: string, who = metadata) => {
        const stream = openDecodeStream(decode, who);
        streams.push(stream);
        return stream.ask(opening(id));
      };
      await open('x');
      const full = await refused(open('y'));
      assert.deepEqual([full.code, full.retryAfterMs], ['QUEUE_FULL', 1000]);
      await open('y', other);
      assert.equal((await refused(calls.forward(forward('big', 60), metadata))).code, 'LIMIT_EXCEEDED');
      await calls.forward(forward('big', 60), other);
      // 4 rows are 128 bytes of inputs; a step and its residuals do not fit beside two others.
      for (const id of ['1', '2', '3', '4', '5', '6']) await calls.forward(forward(id), metadata);
      assert.equal((await refused(calls.backward(backward('1'), metadata))).code, 'STEP_EVICTED');
      await calls.backward(backward('6'), metadata);
      const both = await Promise.allSettled([calls.forward(forward('7'), metadata), calls.forward(forward('8'), metadata)]);
      assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      for (const stream of streams) stream.call.cancel();
    });
  });
});
