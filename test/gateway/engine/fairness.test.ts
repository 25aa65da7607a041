/** One tenant's load must not take another's turns, steps or memory. Turns and order are counted, never time. */
import assert from 'node:assert/strict';
import type { BackboneArtifact } from '../../../src/artifacts/store.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type BackboneEngine, createEngine, type EngineOptions, type ForwardStep } from '../../../src/gateway/engine/engine.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const [hiddenSize, numLayers] = [8, 3];
/** Bytes of the residuals of a row. */
const ROW_BYTES = numLayers * hiddenSize * 4;

describe('gateway/engine: tenants beside each other', () => {
  const open: BackboneEngine[] = [];
  let artifact: BackboneArtifact;

  before(async () => {
    artifact = await tinyBackbone({ hiddenSize, numLayers });
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });

  const engine = async (options: Partial<EngineOptions> = {}): Promise<BackboneEngine> => {
    const opened = await createEngine({ artifact, workers: 1, threadsPerWorker: 1, ...options });
    open.push(opened);
    return opened;
  };

  function hidden(batch: number, sequence: number, seed = 1): Tensor<'float32'> {
    const length = batch * sequence * hiddenSize;
    return f32(
      [batch, sequence, hiddenSize],
      Float32Array.from({ length }, (_, index) => Math.sin(seed * 12.9 + index * 78.2)),
    );
  }

  function step(tenant: string, stepId: string, batch = 1, sequence = 4, seed = 1): ForwardStep {
    const inputs = { hiddenStates: hidden(batch, sequence, seed), adapter: { kind: 'none' } as const, positions: BigInt64Array.of(0n) };
    return { tenant, stepId, inputs: checkInputs(inputs, artifact.manifest), training: true };
  }

  function allRows(batch: number, sequence: number) {
    const positions = BigInt64Array.from({ length: batch * sequence }, (_, row) => BigInt(row));
    return checkInputs({ hiddenStates: hidden(batch, sequence), adapter: { kind: 'none' }, positions }, artifact.manifest);
  }

  const back = (tenant: string, stepId: string) => ({ tenant, stepId, cotangent: hidden(1, 1).data, wantHiddenStates: true });
  const backward = (opened: BackboneEngine, tenant: string, stepId: string) => {
    const { cotangent, ...rest } = back(tenant, stepId);
    return opened.backward({ ...rest, cotangent: f32([1, hiddenSize], cotangent) });
  };
  const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof CutlayerError && error.code === code;

  it('runs a neighbour next, however many of the largest steps three others have waiting', async () => {
    const opened = await engine({ queueLimit: 64 });
    const ended: string[] = [];
    const call = async (tenant: string, work: Promise<unknown>): Promise<void> => {
      await work;
      ended.push(tenant);
    };
    const flood = ['a', 'b', 'c'].flatMap((tenant) =>
      Array.from({ length: 5 }, (_, at) => call(tenant, opened.forward(step(tenant, `${at}`, 16, 512)))),
    );
    const own = (async () => {
      await call('neighbour', opened.forward(step('neighbour', 'x')));
      await call('neighbour', backward(opened, 'neighbour', 'x'));
    })();
    await Promise.all([...flood, own]);
    const turns = ended.flatMap((tenant, at) => (tenant === 'neighbour' ? [at] : []));
    // Before each of its calls the step that runs already, and one whose turn came with its own.
    assert.ok(turns[0]! <= 2 && turns[1]! - turns[0]! <= 3, ended.join(' '));
  });

  it('runs a neighbour between two slices of one large step, forward and backward', async () => {
    const opened = await engine();
    const ended: string[] = [];
    const call = async (name: string, work: Promise<unknown>): Promise<void> => {
      await work;
      ended.push(name);
    };
    await opened.forward(step('neighbour', 'x'));
    const large = { ...step('loud', 'large'), inputs: allRows(16, 512) };
    const cotangent = f32([16 * 512, hiddenSize], hidden(16, 512, 2).data);
    await Promise.all([call('forward', opened.forward(large)), call('neighbour', opened.forward(step('neighbour', 'y')))]);
    const vjp = opened.backward({ tenant: 'loud', stepId: 'large', cotangent, wantHiddenStates: true });
    await Promise.all([call('backward', vjp), call('neighbour', backward(opened, 'neighbour', 'x'))]);
    assert.deepEqual(ended, ['neighbour', 'forward', 'neighbour', 'backward']);
  });

  it('gives a step the same bits whether others wait or not', async () => {
    const [alone, beside] = [await engine(), await engine()];
    const results = await Promise.all(
      [alone, beside].map(async (opened) => {
        const others = opened === beside ? Array.from({ length: 12 }, (_, at) => opened.forward(step(`other-${at}`, 'x', 2, 64))) : [];
        const output = await opened.forward({ ...step('acme', 'large'), inputs: allRows(5, 700) });
        const cotangent = f32([3500, hiddenSize], hidden(5, 700, 3).data);
        const back = opened.backward({ tenant: 'acme', stepId: 'large', cotangent, wantHiddenStates: true });
        await Promise.all(others);
        return { output, back: await back };
      }),
    );
    assert.deepEqual(results[1], results[0]);
  });

  it('runs no further slice of a step whose caller has gone', async () => {
    const opened = await engine();
    const abort = new AbortController();
    const large = opened.forward({ ...step('loud', 'large', 16, 512, 1), inputs: allRows(16, 512), signal: abort.signal });
    await opened.forward(step('neighbour', 'x'));
    abort.abort();
    await assert.rejects(large, hasCode('CANCELLED'));
    await opened.forward(step('neighbour', 'y'));
    assert.ok(opened.stats().ops.forward.count < 2 + 8);
    assert.deepEqual([opened.stats().callBytes, opened.stats().workBytes, opened.stats().queueLength], [0, 0, 0]);
  });

  it('keeps the residuals of a tenant within its share, while eight others hold more than they can', async () => {
    const opened = await engine({ residualMemoryBytes: 9 * 8 * 6 * (ROW_BYTES + 40) * 4, queueLimit: 64 });
    for (let at = 0; at < 7; at++) await opened.forward(step('quiet', `${at}`, 1, 4, at));
    for (let round = 0; round < 4; round++)
      for (let other = 0; other < 8; other++) await opened.forward(step(`loud-${other}`, `${round}`, 8, 16, round));
    assert.ok(opened.stats().evictedResiduals > 0);
    for (let at = 0; at < 7; at++) await backward(opened, 'quiet', `${at}`);
    assert.equal(opened.stats().recomputes, 0);
  });

  it('keeps the steps of a tenant, while another sends more one-row steps than the map holds', async () => {
    const opened = await engine({ maxSteps: 16 });
    await opened.forward(step('quiet', 'x', 1, 4, 3));
    for (let at = 0; at < 40; at++) await opened.forward(step('loud', `${at}`, 1, 1));
    await assert.rejects(opened.forward(step('quiet', 'x', 1, 4, 4)), hasCode('STEP_CONFLICT'));
    await backward(opened, 'quiet', 'x');
    await assert.rejects(backward(opened, 'loud', '0'), hasCode('STEP_EVICTED'));
    await backward(opened, 'loud', '39');
  });

  it('takes a call of a tenant into a queue that another has filled, in place of the last of the other', async () => {
    const opened = await engine({ queueLimit: 4 });
    const outcome = (work: Promise<unknown>) =>
      work.then(
        () => 'ok',
        (error: CutlayerError) => error.code,
      );
    const loud = Array.from({ length: 8 }, (_, at) => outcome(opened.forward(step('loud', `${at}`, 4, 64))));
    const quiet = ['x', 'y', 'z'].map((stepId) => outcome(opened.forward(step('quiet', stepId))));
    assert.deepEqual(await Promise.all(quiet), ['ok', 'ok', 'QUEUE_FULL']);
    const codes = await Promise.all(loud);
    assert.deepEqual(codes, ['ok', 'ok', 'ok', ...Array(5).fill('QUEUE_FULL')]);
  });

  it('refuses a call without a place before it makes anything ready, and not that of a tenant which gets one', async () => {
    const opened = await engine({ queueLimit: 2 });
    let free = (): void => undefined;
    const running = opened.turn({ rows: 1, work: () => new Promise((resolve) => (free = resolve)) });
    const loud = ['x', 'y'].map((stepId) => opened.forward(step('loud', stepId)));
    while (opened.stats().queueLength < 2) await new Promise(setImmediate);
    const full = { code: 'QUEUE_FULL', message: 'queue: 2 calls are waiting, the limit is 2; try again later' };
    assert.throws(() => opened.requirePlace('loud'), full);
    opened.requirePlace('quiet');
    const unread: ForwardStep = {
      ...{ tenant: 'loud', stepId: 'z', training: true },
      get inputs() {
        return assert.fail('the inputs of a call without a place were read');
      },
    };
    await assert.rejects(opened.forward(unread), full);
    await assert.rejects(backward(opened, 'loud', 'unknown'), full);
    free();
    await Promise.all([running, ...loud]);
    opened.requirePlace('loud');
    assert.equal(opened.stats().stepsHeld, 2);
  });

  it('refuses a step that cannot end before its deadline at the measured rate, before it runs', async () => {
    const opened = await engine();
    await opened.forward(step('acme', 'x', 8, 64));
    await backward(opened, 'acme', 'x');
    const counts = () => Object.values(opened.stats().ops).map(({ count }) => count);
    const before = counts();
    const leftMs = () => 1e-6;
    const late = { code: 'DEADLINE_EXCEEDED', message: /^deadline: 512 rows take at least .* here, .* are left; send smaller batches/ };
    await assert.rejects(opened.forward({ ...step('acme', 'y', 8, 64), leftMs }), late);
    const call = { tenant: 'acme', stepId: 'x', cotangent: f32([1, hiddenSize], hidden(1, 1).data), wantHiddenStates: true };
    await assert.rejects(opened.backward({ ...call, leftMs }), late);
    assert.deepEqual(counts(), before);
    assert.equal(opened.stats().refusedBySize, 2);
    await opened.forward({ ...step('acme', 'y', 8, 64), leftMs: () => 600_000 });
  });

  it('counts the message of a call beside its inputs', async () => {
    const opened = await engine({ memoryBytes: 2 ** 20, residualMemoryBytes: 2 ** 18 });
    await opened.forward({ ...step('acme', 'x'), handOver: () => 2 ** 18 });
    await assert.rejects(opened.forward({ ...step('acme', 'y'), handOver: () => 2 ** 19 }), hasCode('LIMIT_EXCEEDED'));
  });

  it('counts a message once, from its first byte to the end of its step', async () => {
    const opened = await engine();
    const { messages } = opened;
    messages.add(undefined, 10);
    messages.take('acme', 1000);
    assert.equal(opened.stats().callBytes, 1010);
    const handOver = () => {
      messages.add('acme', -1000);
      return 1000;
    };
    const work = opened.forward({ ...step('acme', 'x'), handOver });
    assert.equal(opened.stats().callBytes, 1010 + 4 * hiddenSize * 4 + 8);
    await work;
    assert.equal(opened.stats().callBytes, 10);
  });

  it('lets a message of a light tenant take the place of the newest waiting call of the heaviest', async () => {
    const large = 64 * hiddenSize * 4 + 8;
    const opened = await engine({ memoryBytes: 16 * large, residualMemoryBytes: 8 * large });
    const { messages } = opened;
    assert.deepEqual([messages.limitBytes, messages.unverifiedLimitBytes], [7 * large, large]);
    const loud = Array.from({ length: 7 }, (_, at) => opened.forward({ ...step('loud', `${at}`, 1, 64), training: false }));
    const last = assert.rejects(loud[6]!, hasCode('QUEUE_FULL'));
    messages.take('quiet', 100);
    await last;
    assert.throws(() => messages.take('loud', large), { code: 'QUEUE_FULL' });
    await Promise.all(loud.slice(0, 6));
  });

  it('gives everything back after calls of all kinds and ends', async () => {
    const opened = await engine({ queueLimit: 2 });
    const abort = new AbortController();
    const calls = ['a', 'b', 'c', 'd'].map((tenant) => opened.forward({ ...step(tenant, 'x', 4, 64), signal: abort.signal }));
    abort.abort();
    await Promise.allSettled(calls);
    await opened.forward(step('a', 'y'));
    await backward(opened, 'a', 'y');
    const { callBytes, workBytes, queueLength } = opened.stats();
    assert.deepEqual([callBytes, workBytes, queueLength], [0, 0, 0]);
  });
});
