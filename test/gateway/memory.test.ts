/** One budget for everything that calls make the gateway hold. Bounds are counted in bytes and turns, never in time. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { credentials } from '@grpc/grpc-js';
import type { BackboneArtifact } from '../../src/artifacts/store.js';
import type { CutlayerError } from '../../src/errors.js';
import { packedGraphs } from '../../src/gateway/engine/packed-graphs.js';
import { logMemory, machineMemoryBytes, packedMemoryBytes } from '../../src/gateway/memory.js';
import { clientChannelOptions } from '../../src/protocol/wire/channel.js';
import type { ForwardRequest } from '../../src/protocol/wire/generated/cutlayer/v1/ForwardRequest.js';
import type { SplitClient } from '../../src/protocol/wire/generated/cutlayer/v1/Split.js';
import { loadSplitService } from '../../src/protocol/wire/split-service.js';
import { encodeTensor } from '../../src/protocol/wire/tensor-codec.js';
import { f32 } from '../../src/tensor/tensor.js';
import { thorough } from '../support/exhaustive.js';
import { type GatewayProcess, startGateway } from '../support/gateway-process.js';
import { peakBytes, residentBytes } from '../support/process-memory.js';
import { connectRaw } from '../support/raw-grpc.js';
import { bearer, splitCalls, startTestGateway } from '../support/test-gateway.js';
import { tinyBackbone } from '../support/tiny-backbone.js';

const MiB = 2 ** 20;
const HIDDEN = 32;

describe('gateway memory', () => {
  let gateway: GatewayProcess;
  let client: SplitClient;
  /** A connection of its own: one connection has half of the bytes of messages. */
  let other: SplitClient;
  let backbone: BackboneArtifact;
  before(async () => {
    backbone = await tinyBackbone({ hiddenSize: HIDDEN, numLayers: 2 });
    const flags = ['--memory', '64MiB', '--residual-memory', '16MiB', '--max-tokens', '32768', '--max-in-flight', '128'];
    gateway = await startGateway({ backboneDir: backbone.dir, insecure: true, flags });
    const connect = (): SplitClient =>
      new (loadSplitService())(gateway.address, credentials.createInsecure(), {
        ...clientChannelOptions(),
        'grpc.use_local_subchannel_pool': 1,
      });
    [client, other] = [connect(), connect()];
  });
  after(async () => {
    client.close();
    other.close();
    await gateway.stop();
  });

  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'OK',
      (error: CutlayerError) => error.code,
    );
  /** 36 bytes a row on the wire, 128 decoded. */
  const step = (stepId: string, batch: number, sequence: number, training: boolean): ForwardRequest => ({
    stepId,
    backboneDigest: backbone.digest,
    hiddenStates: encodeTensor(f32([batch, sequence, HIDDEN], new Float32Array(batch * sequence * HIDDEN).fill(0.5)), 'int8'),
    lengths: Array(batch).fill(sequence),
    positions: [0],
    training,
  });

  thorough('holds 64 messages of nearly the largest size within its bytes, and answers an honest client beside them', async function () {
    if (!existsSync('/proc/self/status')) this.skip();
    const [honest, loud] = await Promise.all(['honest', 'loud'].map(async (name) => bearer(await gateway.token(name))));
    assert.equal(await codeOf(splitCalls(other).forward(step('first', 1, 8, true), honest!)), 'OK');
    const before = residentBytes(gateway.pid);
    // 1 MiB each, and 4 MiB decoded: of these 32 MiB fit at a time.
    const large = step('', 32, 1000, false);
    const flood = Array.from({ length: 64 }, (_, at) =>
      codeOf(splitCalls(client).forward({ ...large, stepId: `${at}` }, loud!, { deadline: Date.now() + 100_000 })),
    );
    assert.equal(await codeOf(splitCalls(other).forward(step('second', 1, 8, true), honest!)), 'OK');
    const codes = await Promise.all(flood);
    const grown = (peakBytes(gateway.pid) - before) / 2 ** 20;
    assert.ok(grown < 320, `grew by ${grown.toFixed(0)} MiB`);
    assert.ok(codes.includes('OK') && codes.includes('QUEUE_FULL'), codes.join(' '));
    assert.deepEqual(
      codes.filter((code) => !['OK', 'QUEUE_FULL'].includes(code)),
      [],
    );
  });

  it('counts the bytes of a message in the one budget as they come, of verified callers and of others', async () => {
    const own = await startTestGateway({ backboneDir: backbone.dir, start: { memory: '64MiB', residualMemory: '16MiB' } });
    const connection = connectRaw(own.gateway.listen, { caFile: own.gateway.caFile! });
    const held = async (bytes: number): Promise<void> => {
      while (own.gateway.engine.stats().callBytes !== bytes) await delay(5);
    };
    try {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(MiB, 1);
      const authorization = `Bearer ${await own.token()}`;
      const { stream, ended } = connection.call('/cutlayer.v1.Split/Forward', { authorization, 'grpc-timeout': '60S' });
      stream.write(Buffer.concat([head, Buffer.alloc(100_000)]));
      await held(MiB);
      stream.end(Buffer.alloc(MiB - 100_000, 1));
      assert.equal((await ended).code, 'INVALID_ARGUMENT');
      await held(0);
    } finally {
      connection.close();
      await own.close();
    }
  });

  it('trains through a step whose residuals are more than one run may have, as it runs in slices', async () => {
    const token = bearer(await gateway.token('acme'));
    await splitCalls(client).forward(step('small', 1, 64, true), token);
    assert.equal(await codeOf(splitCalls(client).forward(step('large', 32, 1024, true), token)), 'OK');
  });

  thorough('refuses with the numbers a training step of which one sequence needs more than one run may have, before it runs', async () => {
    const flags = ['--memory', '4MiB', '--residual-memory', '1MiB', '--max-tokens', '8192', '--max-virtual-tokens', '8'];
    const small = await startGateway({ backboneDir: backbone.dir, insecure: true, flags });
    const other = new (loadSplitService())(small.address, credentials.createInsecure(), clientChannelOptions());
    try {
      const token = bearer(await small.token('acme'));
      await splitCalls(other).forward(step('small', 1, 64, true), token);
      const large = await splitCalls(other)
        .forward(step('large', 1, 4096, true), token)
        .then(
          () => assert.fail('expected LIMIT_EXCEEDED'),
          (error: CutlayerError) => error,
        );
      assert.equal(large.code, 'LIMIT_EXCEEDED');
      assert.match(
        large.message,
        /^step: 4096 rows need about \d+ bytes to train through, one run may have 2097152; send at most \d+ rows/,
      );
    } finally {
      other.close();
      await small.stop();
    }
  });
});

describe('gateway memory at the start', () => {
  const dims = { hiddenSize: 768, numLayers: 12, numHeads: 12, numKvHeads: 12, headDim: 64, maxPositions: 1024 };
  const graphsOf = (kind: string) =>
    Object.fromEntries(['forward', 'infer', 'vjp'].map((name) => [name, { file: `${kind}-${name}.onnx` }])) as never;
  const stepGraphs = { none: graphsOf('none'), softPrompt: graphsOf('softPrompt'), prefix: graphsOf('prefix') };
  const given = {
    config: { residualMemory: 1024 * MiB, workers: 1 },
    memoryBytes: 8192 * MiB,
    manifest: { dims, graphs: stepGraphs, weightsFile: 'w', files: [{ path: 'w', bytes: 324 * MiB, sha256: '' }] },
    limits: { maxTokens: 4096, maxMessageBytes: 16 * MiB },
    machineBytes: 16_384 * MiB,
  };
  const lines = (change: Partial<typeof given>) => {
    const [said, warned]: [object[], string[]] = [[], []];
    const info = (numbers: object) => said.push(numbers);
    const warn = (_: object, text: string) => warned.push(text);
    logMemory({ ...given, ...change }, { info, warn } as never);
    return { said, warned };
  };

  it('says what the limits add up to beside the memory of the machine, and warns of nothing that fits', () => {
    const { said, warned } = lines({});
    assert.deepEqual(warned, []);
    assert.equal(said.length, 1);
    const { machineBytes, neededBytes, weightsBytes } = said[0] as Record<string, number>;
    assert.deepEqual([machineBytes, neededBytes, weightsBytes], [16_384 * MiB, (8192 + 324 + 256) * MiB, 324 * MiB]);
  });

  it('warns of a budget beyond the machine, of kept steps beyond the budget, and of steps that never fit', () => {
    assert.match(lines({ machineBytes: 8192 * MiB }).warned[0]!, /more than the machine has; lower --memory/);
    assert.match(lines({ config: { residualMemory: 9000 * MiB, workers: 1 } }).warned[0]!, /--residual-memory is more than --memory/);
    const large = { maxTokens: 65_536, maxMessageBytes: 3000 * MiB };
    assert.deepEqual(
      lines({ limits: large }).warned.map((text) => /lower (--[a-z-]+)/.exec(text)![1]),
      ['--max-tokens', '--max-tokens'],
    );
  });

  it('packs the weights of whole kinds of steps while they fit, those with a soft prompt first, for each worker', () => {
    const kinds = (bytes: number, workers = 1) =>
      packedGraphs(given.manifest, { bytes, workers }).files.map((file) => file.replace('.onnx', ''));
    const three = 3 * 324 * MiB;
    assert.deepEqual(kinds(three - 1), []);
    assert.deepEqual(kinds(2 * three - 1), ['softPrompt-forward', 'softPrompt-infer', 'softPrompt-vjp']);
    assert.equal(kinds(2 * three).length, 6);
    assert.equal(kinds(2 * three, 2).length, 3);
    assert.equal(kinds(2 ** 40).length, 9);
    // Half of what is left: (16,384 - 8,192 - 324 - 256) / 2 MiB.
    const packedBytes = packedMemoryBytes(given);
    assert.equal(packedBytes, 3806 * MiB);
    assert.equal(packedMemoryBytes({ ...given, machineBytes: 8192 * MiB }), 0);
    const { said, warned } = lines({ packedBytes } as never);
    assert.deepEqual(warned, []);
    const { neededBytes, packedGraphs: graphs } = said[0] as Record<string, number>;
    assert.deepEqual([neededBytes, graphs], [(8192 + 324 + 256 + 9 * 324) * MiB, 9]);
  });

  it('warns of a memory of messages beyond what calls may have', () => {
    const config = { residualMemory: 1024 * MiB, workers: 1, messageMemory: 4096 * MiB };
    assert.match(lines({ config } as never).warned[0]!, /--message-memory is more than calls may have of --memory/);
  });

  it('takes the limit of a control group where it is below the memory of the machine', () => {
    assert.equal(machineMemoryBytes(100, 40), 40);
    assert.equal(machineMemoryBytes(100, 0), 100);
    assert.equal(machineMemoryBytes(100, 2 ** 63), 100);
  });
});
