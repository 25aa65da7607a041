import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';
import { CutlayerError, type ErrorCode } from '../../src/errors.js';
import { FLOW_CONTROL_WINDOW_BYTES } from '../../src/protocol/wire/channel.js';
import type { BackwardRequest } from '../../src/protocol/wire/generated/cutlayer/v1/BackwardRequest.js';
import type { ForwardRequest } from '../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { SplitClient } from '../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { decodeTensor, encodeTensor } from '../../src/protocol/wire/tensor-codec.js';
import { type WireDType, wireDTypeNames } from '../../src/protocol/wire/wire-dtype.js';
import { f32, type Tensor } from '../../src/tensor/tensor.js';
import { announcedWindows } from '../support/announced-windows.js';
import { checkInputs } from '../support/checked-inputs.js';
import { bearer, splitCalls, startTestGateway, type TestGateway } from '../support/test-gateway.js';

const wave = (shape: readonly number[], phase = 0): Tensor<'float32'> =>
  f32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 0.37 + phase)),
  );

async function refusal(run: Promise<unknown>, code: ErrorCode): Promise<CutlayerError> {
  const error = await run.then(
    () => assert.fail(`expected ${code}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof CutlayerError);
  assert.equal(error.code, code, error.message);
  return error;
}

describe('gateway over gRPC', () => {
  let running: TestGateway;
  let client: SplitClient;
  let metadata: Metadata;
  let digest: string;

  before(async () => {
    running = await startTestGateway({ start: { maxTokens: 64, maxVirtualTokens: 8, maxDeadline: 60 } });
    client = running.connect();
    metadata = bearer(await running.token());
    digest = running.gateway.backboneDigest;
  });
  after(() => running.close());

  const getModel = (as = metadata) => splitCalls(client).getModel(as);
  const forward = (request: ForwardRequest, as = metadata) => splitCalls(client).forward(request, as);
  const backward = (request: BackwardRequest, as = metadata) => splitCalls(client).backward(request, as);
  const step = (stepId: string, dtype: WireDType = 'f32'): ForwardRequest => ({
    stepId,
    backboneDigest: digest,
    hiddenStates: encodeTensor(wave([2, 4, 8]), dtype),
    lengths: [4, 3],
    softPrompt: encodeTensor(wave([3, 8], 1), dtype),
    positions: [2, 3, 5, 9],
    training: true,
  });

  it('tells the model card: dims, cut, limits, wire dtypes, adapters and the digest of the backbone', async () => {
    const card = await getModel();
    assert.equal(card.backboneDigest, digest);
    assert.deepEqual(card.dims, { hiddenSize: 8, numLayers: 2, numHeads: 2, numKvHeads: 2, headDim: 4, maxPositions: 8192 });
    assert.deepEqual(card.cut, { bottom: 0, top: 0 });
    assert.deepEqual(card.wireDtypes, ['DTYPE_F32', 'DTYPE_F16', 'DTYPE_BF16', 'DTYPE_INT8']);
    assert.deepEqual(card.adapters, ['ADAPTER_KIND_SOFT_PROMPT', 'ADAPTER_KIND_PREFIX']);
    const { maxMessageBytes, ...limits } = card.limits!;
    assert.deepEqual(limits, { maxBatch: 256, maxTokens: 64, maxVirtualTokens: 8, maxDeadlineMs: 60_000 });
    assert.ok(maxMessageBytes > 64 * 8 * 4);
  });

  for (const dtype of wireDTypeNames) {
    it(`${dtype}: answers a step forward and backward in the dtype of the request, as computed by the engine itself`, async () => {
      const request = step(`step-${dtype}`, dtype);
      const { hiddenStates } = await forward(request);
      assert.equal(hiddenStates?.dtype, encodeTensor(wave([1, 1]), dtype).dtype);
      const rows = decodeTensor(hiddenStates, { name: 'rows', shape: [4, 8] });

      const decoded = (message: ForwardRequest['hiddenStates'], shape: readonly number[]) =>
        decodeTensor({ scales: Buffer.alloc(0), ...message } as never, { name: 'x', shape });
      const direct = await running.gateway.engine.forward({
        tenant: 'direct',
        stepId: `step-${dtype}`,
        inputs: checkInputs(
          {
            hiddenStates: decoded(request.hiddenStates, [2, 4, 8]),
            adapter: { kind: 'softPrompt', value: decoded(request.softPrompt, [3, 8]) },
            positions: BigInt64Array.from([2n, 3n, 5n, 9n]),
          },
          running.gateway.engine.artifact.manifest,
        ),
        training: true,
      });
      assert.deepEqual(rows.data, decoded(encodeTensor(direct, dtype), [4, 8]).data);

      const cotangent = encodeTensor(wave([4, 8], 2), dtype);
      const answer = await backward({ stepId: `step-${dtype}`, cotangent, wantHiddenStates: true, responseDtype: 'DTYPE_F32' });
      const directly = await running.gateway.engine.backward({
        tenant: 'direct',
        stepId: `step-${dtype}`,
        cotangent: decoded(cotangent, [4, 8]),
        wantHiddenStates: true,
      });
      assert.deepEqual(decodeTensor(answer.adapterCotangent, { name: 'x', shape: [3, 8] }).data, directly.adapterCotangent!.data);
      assert.deepEqual(
        decodeTensor(answer.hiddenStatesCotangent, { name: 'x', shape: [2, 4, 8] }).data,
        directly.hiddenStatesCotangent!.data,
      );
    });
  }

  it('answers with all rows when no positions are named', async () => {
    const { hiddenStates } = await forward({ ...step('all-rows'), positions: [] });
    assert.deepEqual(hiddenStates?.shape, [3 + 2 * 4, 8]);
  });

  it('takes a prefix, whose rows are not among the positions', async () => {
    const { softPrompt: _, ...request } = step('prefix');
    const { hiddenStates } = await forward({ ...request, prefix: encodeTensor(wave([2, 2, 3, 2, 4]), 'f32'), positions: [0, 7 - 1] });
    assert.deepEqual(hiddenStates?.shape, [2, 8]);
    const { adapterCotangent, hiddenStatesCotangent } = await backward({ stepId: 'prefix', cotangent: encodeTensor(wave([2, 8]), 'f32') });
    assert.deepEqual(adapterCotangent?.shape, [2, 2, 3, 2, 4]);
    assert.equal(hiddenStatesCotangent, null);
  });

  it('answers a backward that is sent again with the same values', async () => {
    await forward(step('again'));
    const request = { stepId: 'again', cotangent: encodeTensor(wave([4, 8]), 'f32') };
    const [first, second] = [await backward(request), await backward(request)];
    assert.deepEqual(second.adapterCotangent?.data, first.adapterCotangent?.data);
  });

  it("keeps tenants apart: another's step is not there, and the same id is free", async () => {
    await forward(step('mine'));
    const other = bearer(await running.token({ tenant: 'other' }));
    await refusal(backward({ stepId: 'mine', cotangent: encodeTensor(wave([4, 8]), 'f32') }, other), 'STEP_EVICTED');
    await forward({ ...step('mine'), hiddenStates: encodeTensor(wave([2, 4, 8], 5), 'f32') }, other);
  });

  it('refuses the same step id with other inputs', async () => {
    await forward(step('conflict'));
    await refusal(forward({ ...step('conflict'), hiddenStates: encodeTensor(wave([2, 4, 8], 5), 'f32') }), 'STEP_CONFLICT');
  });

  it('lets a token of inference alone infer, and not train', async () => {
    const infer = bearer(await running.token({ scopes: ['split:infer'] }));
    await getModel(infer);
    await forward({ ...step('infer'), training: false }, infer);
    const error = await refusal(forward(step('infer-train'), infer), 'SCOPE_MISSING');
    assert.match(error.message, /scope train/);
    await refusal(backward({ stepId: 'infer', cotangent: encodeTensor(wave([4, 8]), 'f32') }, infer), 'SCOPE_MISSING');
  });

  it('lets a token of training alone run plain forwards too, as its evaluations do', async () => {
    const train = bearer(await running.token({ scopes: ['split:train'] }));
    await forward({ ...step('plain'), training: false }, train);
  });

  it('stops working on a call when its caller gives up', async () => {
    const call = client.Forward(step('given-up'), metadata, { deadline: Date.now() + 20_000 }, () => undefined);
    call.cancel();
    await getModel();
    while (running.gateway.server.inFlight > 0) await delay(1);
  });

  it('announces the wide flow-control window over TLS, for streams and for the connection', async () => {
    const windows = await announcedWindows(`https://${running.gateway.listen}`, { ca: running.ca, servername: 'localhost' });
    assert.deepEqual(windows, { stream: FLOW_CONTROL_WINDOW_BYTES, connection: FLOW_CONTROL_WINDOW_BYTES });
  });

  it('answers its health without a token', async () => {
    const loaded = loadPackageDefinition(loadSync(protoPath)) as unknown as {
      grpc: { health: { v1: { Health: new (...args: unknown[]) => { Check: (...args: unknown[]) => void; close: () => void } } } };
    };
    const health = new loaded.grpc.health.v1.Health(running.gateway.listen, credentials.createSsl(running.ca), {
      'grpc.ssl_target_name_override': 'localhost',
    });
    const check = (service: string) =>
      new Promise<{ status: number | string }>((resolve, reject) => {
        health.Check({ service }, (error: Error | null, answer: { status: number | string }) => (error ? reject(error) : resolve(answer)));
      });
    assert.equal((await check('')).status, 1);
    assert.equal((await check('cutlayer.v1.Split')).status, 1);
    await assert.rejects(check('nobody'), { code: status.NOT_FOUND });
    health.close();
  });

  it('counts calls, bytes and rows by method, tenant and outcome', async () => {
    const counted = bearer(await running.token({ tenant: 'counted' }));
    await forward(step('counted'), counted);
    await refusal(forward({ ...step('counted'), lengths: [] }, counted), 'INVALID_ARGUMENT');
    await refusal(getModel(new Metadata()), 'TOKEN_MISSING');
    const text = await (await fetch(`http://${running.gateway.admin}/metrics`)).text();
    assert.match(text, /cutlayer_calls_total\{method="Forward",tenant="counted",code="OK"\} 1/);
    assert.match(text, /cutlayer_calls_total\{method="Forward",tenant="counted",code="INVALID_ARGUMENT"\} 1/);
    assert.match(text, /cutlayer_calls_total\{method="GetModel",tenant="",code="TOKEN_MISSING"\} 1/);
    assert.match(text, /cutlayer_rows_total\{method="Forward",tenant="counted"\} 11/);
    assert.match(text, /cutlayer_received_bytes_total\{method="Forward",tenant="counted"\} \d{3,}/);
    assert.match(text, /cutlayer_kept_steps [1-9]/);
  });
});

describe('gateway under pressure', () => {
  it('refuses more calls than it may have in flight as retryable, and takes them afterwards', async () => {
    const running = await startTestGateway({ start: { maxInFlight: 1 } });
    try {
      const client = running.connect();
      const metadata = bearer(await running.token());
      const many = await Promise.allSettled(Array.from({ length: 8 }, () => splitCalls(client).getModel(metadata)));
      const refused = many.filter((one) => one.status === 'rejected').map(({ reason }) => reason as CutlayerError);
      assert.ok(refused.length > 0);
      for (const error of refused) assert.deepEqual([error.code, error.retry], ['QUEUE_FULL', 'same']);
      await splitCalls(client).getModel(metadata);
    } finally {
      await running.close();
    }
  });

  it('caps the deadline of a call at the longest that it grants', async () => {
    const running = await startTestGateway({ start: { maxDeadline: 0 } });
    try {
      const client = running.connect();
      await refusal(
        splitCalls(client).forward(
          {
            stepId: 'a',
            backboneDigest: running.gateway.backboneDigest,
            hiddenStates: encodeTensor(wave([8, 256, 8]), 'f32'),
            lengths: Array(8).fill(256),
          },
          bearer(await running.token()),
          { deadline: Date.now() + 600_000 },
        ),
        'DEADLINE_EXCEEDED',
      );
    } finally {
      await running.close();
    }
  });
});

describe('gateway shutting down', () => {
  it('finishes the calls in flight, takes no new ones, and says so on the admin port', async () => {
    const running = await startTestGateway();
    const client = running.connect();
    const metadata = bearer(await running.token());
    const request: ForwardRequest = {
      stepId: 'last',
      backboneDigest: running.gateway.backboneDigest,
      hiddenStates: encodeTensor(wave([8, 512, 8]), 'f32'),
      lengths: Array(8).fill(512),
    };
    await splitCalls(client).getModel(metadata);
    const inFlight = splitCalls(client).forward(request, metadata);
    // In each turn of the loop: a machine that pauses may find the call ended otherwise.
    while (running.gateway.server.inFlight === 0) await nextTurn();
    const drained = running.gateway.server.drain(10_000);
    assert.equal((await fetch(`http://${running.gateway.admin}/healthz`)).status, 503);
    assert.deepEqual((await inFlight).hiddenStates?.shape, [8 * 512, 8]);
    const error = await refusal(splitCalls(client).getModel(metadata, { deadline: Date.now() + 5000 }), 'UNAVAILABLE').catch(() =>
      refusal(splitCalls(client).getModel(metadata, { deadline: Date.now() + 5000 }), 'DRAINING'),
    );
    assert.equal(error.retry, 'same');
    await drained;
    await running.close();
  });

  it('fails the calls that are still in flight after the grace period as retryable', async () => {
    const running = await startTestGateway();
    const metadata = bearer(await running.token());
    const request: Omit<ForwardRequest, 'stepId'> = {
      backboneDigest: running.gateway.backboneDigest,
      hiddenStates: encodeTensor(wave([8, 1024, 8]), 'f32'),
      lengths: Array(8).fill(1024),
    };
    const client = running.connect();
    // One worker runs them one after the other, so some are still there whatever the machine's speed.
    const calls = Array.from({ length: 8 }, (_, at) => splitCalls(client).forward({ ...request, stepId: `late-${at}` }, metadata));
    const settled = Promise.allSettled(calls);
    while (running.gateway.server.inFlight < 2) await delay(1);
    const drained = running.gateway.server.drain(0);
    const failed = (await settled).flatMap((one) => (one.status === 'rejected' ? [one.reason as CutlayerError] : []));
    assert.ok(failed.some(({ code }) => code === 'DRAINING'));
    for (const error of failed) assert.equal(error.retry, 'same', error.code);
    await drained;
    await running.close();
  });
});

describe('gateway starting', () => {
  it('tells in a typed error that a port is taken, and leaves nothing behind', async () => {
    const first = await startTestGateway();
    const started = startTestGateway({ start: { listen: first.gateway.listen } });
    const error = await refusal(started, 'IO_ERROR');
    assert.match(error.message, /^listen 127\.0\.0\.1:\d+: /);
    assert.match((await refusal(startTestGateway({ start: { admin: first.gateway.admin } }), 'IO_ERROR')).message, /^admin /);
    await first.close();
  });

  it('starts again on the same state directory with the same keys and the same authority', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-state-'));
    const first = await startTestGateway({ start: { stateDir } });
    const token = await first.token();
    await first.close();
    const second = await startTestGateway({ start: { stateDir } });
    assert.deepEqual(second.ca, first.ca);
    assert.equal((await splitCalls(second.connect()).getModel(bearer(token))).backboneDigest, first.gateway.backboneDigest);
    await second.close();
    await rm(stateDir, { recursive: true });
  });

  it('keeps its database in the state directory, for its owner alone, and refuses a second gateway there until it has stopped', async () => {
    const stateDir = await mkdtemp(join(tmpdir(), 'cutlayer-state-'));
    const first = await startTestGateway({ start: { stateDir } });
    assert.equal((await stat(join(stateDir, 'gateway.db'))).mode & 0o077, 0);
    assert.match((await refusal(startTestGateway({ start: { stateDir } }), 'STORE_IN_USE')).message, /stop that one first/);
    await (await startTestGateway({ start: { stateDir, database: join(stateDir, 'other.db') } })).close();
    await first.close();
    await (await startTestGateway({ start: { stateDir } })).close();
    await rm(stateDir, { recursive: true });
  });

  it('says of a port in use which flag gives another', async () => {
    const first = await startTestGateway({});
    try {
      const listen = await refusal(startTestGateway({ start: { listen: first.gateway.listen } }), 'IO_ERROR');
      assert.match(listen.message, /^listen .*; the port is in use: choose another --listen \(port 0/);
      const admin = await refusal(startTestGateway({ start: { admin: first.gateway.admin } }), 'IO_ERROR');
      assert.match(admin.message, /^admin .*; the port is in use: choose another --admin \(port 0/);
    } finally {
      await first.close();
    }
  });

  it('refuses a certificate that is none', async () => {
    const self = fileURLToPath(import.meta.url);
    const error = await refusal(startTestGateway({ start: { tlsCert: self, tlsKey: self } }), 'INVALID_CONFIG');
    assert.match(error.message, /expected a PEM certificate chain and its private key/);
  });
});
