import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import type { SpanKind } from '../../../src/artifacts/manifest.js';
import type { BackboneArtifact } from '../../../src/artifacts/store.js';
import { CutlayerError, type ErrorCode } from '../../../src/errors.js';
import { type BackboneEngine, createEngine, type EngineOptions, type ForwardStep } from '../../../src/gateway/engine/engine.js';
import type { AdapterInput, StepInputs } from '../../../src/gateway/engine/step-inputs.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { checkInputs } from '../../support/checked-inputs.js';
import { thorough } from '../../support/exhaustive.js';
import { mortalWorkers } from '../../support/mortal-worker.js';
import { anonymousBytes, collectGarbage } from '../../support/process-memory.js';
import { tinyBackbone } from '../../support/tiny-backbone.js';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof CutlayerError && error.code === code;

const [hiddenSize, numLayers] = [8, 3];
const [B, S, P] = [2, 5, 3];
const kinds: readonly SpanKind[] = ['none', 'softPrompt', 'prefix'];
let artifact: BackboneArtifact;

/** Values that look random and are the same in every run. */
function values(shape: readonly number[], seed: number): Tensor<'float32'> {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length: count }, (_, index) => Math.sin(seed * 12.9898 + index * 78.233)),
  );
}

function adapterOf(kind: SpanKind, seed: number): AdapterInput {
  if (kind === 'none') return { kind };
  return { kind, value: values(kind === 'softPrompt' ? [P, hiddenSize] : [numLayers, 2, P, 2, hiddenSize / 2], seed) };
}

function inputsOf(kind: SpanKind, seed = 1): StepInputs {
  return {
    hiddenStates: values([B, S, hiddenSize], seed),
    adapter: adapterOf(kind, seed + 0.5),
    positions: BigInt64Array.of(1n, 4n, 7n, 9n),
  };
}

/** A step of checked inputs; `change` replaces some. */
function stepOf(kind: SpanKind, stepId: string, seed = 1, change: Partial<StepInputs> = {}): ForwardStep {
  return { tenant: 'acme', stepId, inputs: checkInputs({ ...inputsOf(kind, seed), ...change }, artifact.manifest), training: true };
}

const backOf = (stepId: string, seed = 9) => ({
  tenant: 'acme',
  stepId,
  cotangent: values([4, hiddenSize], seed),
  wantHiddenStates: true,
});

describe('runtime/engine', () => {
  const open: BackboneEngine[] = [];
  const engine = async (options: Partial<EngineOptions> = {}): Promise<BackboneEngine> => {
    const opened = await createEngine({ artifact, workers: 1, threadsPerWorker: 1, ...options });
    open.push(opened);
    return opened;
  };

  before(async () => {
    artifact = await tinyBackbone({ hiddenSize, numLayers });
  });
  afterEach(async () => {
    for (const opened of open.splice(0)) await opened.close();
  });

  for (const kind of kinds) {
    it(`gives the vjp of its own forward with ${kind}: <cotangent, J v> equals <vjp, v>`, async () => {
      const opened = await engine();
      const base = inputsOf(kind);
      const direction = inputsOf(kind, 3);
      const moved = (sign: number): ForwardStep => ({
        ...stepOf(kind, 'moved', 1, {
          hiddenStates: shifted(base.hiddenStates, direction.hiddenStates, sign),
          adapter: shiftedAdapter(base.adapter, direction.adapter, sign),
        }),
        training: false,
      });
      const back = backOf('base');
      const [plus, minus] = [await opened.forward(moved(EPSILON)), await opened.forward(moved(-EPSILON))];
      const expected = dot(
        back.cotangent,
        f32(
          plus.shape,
          plus.data.map((x, i) => (x - minus.data[i]!) / (2 * EPSILON)),
        ),
      );
      await opened.forward(stepOf(kind, 'base'));
      const result = await opened.backward(back);
      const { adapter } = direction;
      const actual =
        dot(result.hiddenStatesCotangent!, direction.hiddenStates) +
        (adapter.kind === 'none' ? 0 : dot(result.adapterCotangent!, adapter.value));
      assert.ok(Math.abs(actual - expected) < 2e-3 * Math.max(1, Math.abs(expected)), `${actual} vs ${expected}`);
      assert.equal(result.adapterCotangent === undefined, kind === 'none');
    });

    it(`gives the same bits for the same step again, with ${kind}, on one worker or two`, async () => {
      const results = [];
      for (const workers of [1, 2, 2]) {
        const opened = await engine({ workers });
        const output = await opened.forward(stepOf(kind, 'x'));
        results.push({ output, again: await opened.forward(stepOf(kind, 'x')), back: await opened.backward(backOf('x')) });
      }
      for (const { output, again, back } of results) {
        assert.deepEqual(again, output);
        assert.deepEqual({ output, back }, { output: results[0]!.output, back: results[0]!.back });
      }
    });

    it(`answers a Backward that comes again with the same bits, by computing the residuals again, with ${kind}`, async () => {
      const opened = await engine();
      await opened.forward(stepOf(kind, 'x'));
      const first = await opened.backward(backOf('x'));
      assert.equal(opened.stats().recomputes, 0);
      assert.equal(opened.stats().residualBytes, 0, 'the first success drops the residuals');
      assert.deepEqual(await opened.backward(backOf('x')), first);
      assert.equal(opened.stats().recomputes, 1);
    });

    it(`gives the same bits when the residuals were evicted before Backward, with ${kind}`, async () => {
      const roomy = await engine();
      await roomy.forward(stepOf(kind, 'x'));
      const expected = await roomy.backward(backOf('x'));
      const tight = await engine({ residualMemoryBytes: 3000 });
      for (const [index, stepId] of ['x', 'y', 'z'].entries()) await tight.forward(stepOf(kind, stepId, index + 1));
      assert.ok(tight.stats().evictedResiduals >= 1);
      assert.equal(tight.stats().evictedInputs, 0);
      assert.deepEqual(await tight.backward(backOf('x')), expected);
      assert.equal(tight.stats().recomputes, 1);
    });
  }

  it('asks for the step again with STEP_EVICTED when its inputs are gone, and goes on when it comes', async () => {
    const opened = await engine({ residualMemoryBytes: 700 });
    await opened.forward(stepOf('softPrompt', 'x'));
    await opened.forward(stepOf('softPrompt', 'y', 2));
    await assert.rejects(opened.backward(backOf('x')), hasCode('STEP_EVICTED'));
    await opened.forward(stepOf('softPrompt', 'x'));
    const result = await opened.backward(backOf('x'));
    const fresh = await engine();
    await fresh.forward(stepOf('softPrompt', 'x'));
    assert.deepEqual(result, await fresh.backward(backOf('x')));
  });

  it('knows no step that was never sent, that another tenant sent, or that was sent for inference', async () => {
    const opened = await engine();
    await opened.forward({ ...stepOf('none', 'x'), tenant: 'other' });
    await opened.forward({ ...stepOf('none', 'y'), training: false });
    await assert.rejects(opened.backward(backOf('x')), hasCode('STEP_EVICTED'));
    await assert.rejects(opened.backward(backOf('y')), hasCode('STEP_EVICTED'));
    assert.equal(opened.stats().stepsHeld, 1);
  });

  it('refuses a step id that comes again with any other input', async () => {
    const opened = await engine();
    await opened.forward(stepOf('softPrompt', 'x'));
    const { hiddenStates } = inputsOf('softPrompt');
    const others: Partial<StepInputs>[] = [
      { hiddenStates: values([B, S, hiddenSize], 2) },
      { hiddenStates: { ...hiddenStates, shape: [S, B, hiddenSize] } },
      { adapter: adapterOf('softPrompt', 2) },
      { adapter: { kind: 'none' } },
      { positions: BigInt64Array.of(1n, 4n, 7n, 8n) },
    ];
    for (const other of others) await assert.rejects(opened.forward(stepOf('softPrompt', 'x', 1, other)), hasCode('STEP_CONFLICT'));
    await opened.backward(backOf('x'));
  });

  it('does not fetch residuals that could not be kept', async () => {
    const opened = await engine({ residualMemoryBytes: 1200 });
    for (const stepId of ['a', 'b', 'c']) await opened.forward(stepOf('softPrompt', stepId));
    assert.equal(opened.stats().evictedResiduals, 1, 'only the first step had to find out how large they are');
    await opened.backward(backOf('c'));
  });

  it('keeps the residuals of a Backward that was cancelled while it waited, and those of one with a wrong cotangent', async () => {
    const opened = await engine();
    await opened.forward(stepOf('prefix', 'x'));
    const held = opened.stats().residualBytes;
    await assert.rejects(opened.backward({ ...backOf('x'), cotangent: values([3, hiddenSize], 1) }), hasCode('INVALID_SHAPE'));
    const busy = opened.forward({ ...stepOf('none', 'other'), training: false });
    const abort = new AbortController();
    const waiting = opened.backward({ ...backOf('x'), signal: abort.signal });
    abort.abort();
    await assert.rejects(waiting, hasCode('CANCELLED'));
    await busy;
    assert.equal(opened.stats().residualBytes, held);
    await opened.backward(backOf('x'));
    assert.equal(opened.stats().recomputes, 0);
  });

  it('tells the caller of a crashed worker WORKER_CRASHED, and the same Backward then succeeds with the same bits', async () => {
    const { workers, spawn } = mortalWorkers();
    const opened = await engine({ restartPauseMs: 1, spawn });
    await opened.forward(stepOf('softPrompt', 'x'));
    await opened.forward(stepOf('softPrompt', 'y', 2));
    workers[0]!.dieAtNextRun();
    const crashing = opened.backward(backOf('x'));
    await assert.rejects(crashing, hasCode('WORKER_CRASHED'));
    const again = await opened.backward(backOf('x'));
    await opened.backward(backOf('y'));
    assert.equal(opened.stats().workerRestarts, 1);
    assert.equal(opened.stats().recomputes, 1, 'only the step whose residuals were in the dead worker');
    const fresh = await engine();
    await fresh.forward(stepOf('softPrompt', 'x'));
    assert.deepEqual(again, await fresh.backward(backOf('x')));
  });

  it('refuses what its queue cannot take with QUEUE_FULL, and takes the same step afterwards', async () => {
    const opened = await engine({ queueLimit: 3 });
    const calls = ['a', 'b', 'c', 'd', 'e', 'f'].map((stepId) => opened.forward(stepOf('none', stepId)));
    const codes = (await Promise.allSettled(calls)).map((call) =>
      call.status === 'fulfilled' ? 'ok' : (call.reason as CutlayerError).code,
    );
    assert.deepEqual(codes, ['ok', 'ok', 'ok', 'ok', 'QUEUE_FULL', 'QUEUE_FULL']);
    assert.deepEqual(await opened.forward(stepOf('none', 'f')), await calls[0]);
  });

  it('runs calls for one step one after the other, so that they take one place of the queue', async () => {
    const opened = await engine({ queueLimit: 1 });
    const outputs = await Promise.all(Array.from({ length: 6 }, () => opened.forward(stepOf('none', 'x'))));
    for (const output of outputs) assert.deepEqual(output, outputs[0]);
  });

  it('is closed without a loss to the call that runs; what waits and what comes later is told UNAVAILABLE', async () => {
    const opened = await engine();
    const calls = ['a', 'b', 'c'].map((stepId) => opened.forward({ ...stepOf('none', stepId), training: false }));
    const closing = opened.close();
    const codes = (await Promise.allSettled(calls)).map((call) =>
      call.status === 'fulfilled' ? 'ok' : (call.reason as CutlayerError).code,
    );
    assert.deepEqual(codes, ['ok', 'UNAVAILABLE', 'UNAVAILABLE']);
    await closing;
    await assert.rejects(opened.forward(stepOf('none', 'd')), hasCode('UNAVAILABLE'));
  });

  it('copies no input of a step that is not for training, and no cotangent; it keeps the inputs of a training step', async () => {
    const opened = await engine();
    const inferring = { ...stepOf('softPrompt', 'x'), training: false };
    await opened.forward(inferring);
    assert.equal(inferring.inputs.hiddenStates.data.length, 0, 'its array has gone over to the worker');
    const step = stepOf('softPrompt', 'x');
    await opened.forward(step);
    const back = backOf('x');
    const first = await opened.backward(back);
    assert.equal(back.cotangent.data.length, 0, 'its array has gone over to the worker');
    assert.deepEqual(step.inputs.hiddenStates, inputsOf('softPrompt').hiddenStates);
    assert.deepEqual(await opened.backward(backOf('x')), first);
  });

  it('has inputs that do not fit the backbone refused, naming what was wanted and what came', () => {
    const inputs = inputsOf('softPrompt');
    const cases: readonly [Partial<StepInputs>, ErrorCode, RegExp][] = [
      [{ hiddenStates: values([B, S, 7], 1) }, 'INVALID_SHAPE', /^hiddenStates: expected \[\*, \*, 8\], got \[2, 5, 7\]/],
      [{ hiddenStates: values([S, hiddenSize], 1) }, 'INVALID_SHAPE', /^hiddenStates/],
      [{ hiddenStates: values([0, S, hiddenSize], 1) }, 'INVALID_SHAPE', /^hiddenStates/],
      [{ hiddenStates: { ...inputs.hiddenStates, shape: [B, S + 1, hiddenSize] } }, 'INVALID_SHAPE', /80 elements/],
      [{ hiddenStates: values([1, 8192, hiddenSize], 1) }, 'LIMIT_EXCEEDED', /8192 positions/],
      [{ adapter: { kind: 'softPrompt', value: values([P, 7], 1) } }, 'INVALID_SHAPE', /^softPrompt: expected \[\*, 8\], got \[3, 7\]/],
      [{ adapter: { kind: 'softPrompt', value: values([0, 8], 1) } }, 'INVALID_SHAPE', /^softPrompt/],
      [{ adapter: { kind: 'prefix', value: values([2, 2, P, 2, 4], 1) } }, 'INVALID_SHAPE', /^prefix: expected \[3, 2, \*, 2, 4\]/],
      [{ positions: new BigInt64Array(0) }, 'INVALID_ARGUMENT', /^positions: expected at least one/],
      [{ positions: BigInt64Array.of(0n, 13n) }, 'INVALID_ARGUMENT', /below 13, got 13/],
      [{ positions: BigInt64Array.of(2n, 2n) }, 'INVALID_ARGUMENT', /increasing/],
      [{ positions: BigInt64Array.of(-1n) }, 'INVALID_ARGUMENT', /got -1/],
      [{ adapter: { kind: 'none' }, positions: BigInt64Array.of(10n) }, 'INVALID_ARGUMENT', /below 10/],
    ];
    for (const [change, code, message] of cases) {
      assert.throws(
        () => checkInputs({ ...inputs, ...change }, artifact.manifest),
        (error: CutlayerError) => {
          assert.equal(error.code, code, error.message);
          assert.match(error.message, message);
          return true;
        },
      );
    }
    assert.equal(checkInputs(inputs, artifact.manifest), inputs);
  });

  it('answers inputs that make the backbone overflow with NON_FINITE', async () => {
    const opened = await engine();
    const huge = f32([B, S, hiddenSize], new Float32Array(B * S * hiddenSize).fill(3e38));
    const adapter: AdapterInput = { kind: 'softPrompt', value: f32([P, hiddenSize], new Float32Array(P * hiddenSize).fill(3e38)) };
    await assert.rejects(opened.forward(stepOf('none', 'x', 1, { hiddenStates: huge, adapter })), hasCode('NON_FINITE'));
  });

  it('counts what it did, for metrics', async () => {
    const opened = await engine();
    await opened.forward(stepOf('none', 'x'));
    await opened.backward(backOf('x'));
    const { ops, stepsHeld, inputBytes, workers, threadsPerWorker, queueLength, startMs } = opened.stats();
    assert.deepEqual([ops.forward.count, ops.vjp.count, ops.recompute.count], [1, 1, 0]);
    assert.ok(ops.forward.totalMs > 0 && startMs > 0);
    assert.deepEqual([stepsHeld, workers, threadsPerWorker, queueLength], [1, 1, 1, 0]);
    assert.equal(inputBytes, B * S * hiddenSize * 4 + 4 * 8);
  });

  const steps = 200;
  thorough(`holds no more memory after ${steps} steps than after 40, at 4 MB of residuals a step`, async function () {
    if (!existsSync('/proc/self/status')) this.skip();
    const wide = await tinyBackbone({ hiddenSize: 128, numLayers: 8 });
    const opened = await engine({ artifact: wide, residualMemoryBytes: 25e6 });
    const positions = BigInt64Array.from({ length: 16 }, (_, index) => BigInt(index * 60));
    const hiddenStates = values([2, 512, 128], 1);
    const prompt = values([P, 128], 2);
    let early = 0;
    for (let index = 0; index < steps; index++) {
      const base = { tenant: 'acme', stepId: `step-${index}` };
      const fresh = f32(hiddenStates.shape, hiddenStates.data.slice());
      const inputs = checkInputs({ hiddenStates: fresh, adapter: { kind: 'softPrompt', value: prompt }, positions }, wide.manifest);
      await opened.forward({ ...base, inputs, training: true });
      // Every tenth step is abandoned by its client.
      if (index % 10 !== 0) await opened.backward({ ...base, cotangent: values([16, 128], 5), wantHiddenStates: false });
      if (index === 40) early = settledBytes();
      const { residualBytes, inputBytes } = opened.stats();
      assert.ok(residualBytes + inputBytes <= 25e6);
    }
    const grownMiB = (settledBytes() - early) / 2 ** 20;
    // Kept residuals would be 4 MiB a step, kept inputs 0.5 MiB; the rest of this process breathes by some 30.
    assert.ok(grownMiB < 60, `private memory grew by ${grownMiB.toFixed(1)} MiB over ${steps - 40} steps`);
  });
});

/** Private memory without garbage. */
function settledBytes(): number {
  collectGarbage();
  return anonymousBytes();
}

const EPSILON = 1e-2;

function shifted(base: Tensor<'float32'>, direction: Tensor<'float32'>, by: number): Tensor<'float32'> {
  return f32(
    base.shape,
    base.data.map((x, index) => x + by * direction.data[index]!),
  );
}

function shiftedAdapter(base: AdapterInput, direction: AdapterInput, by: number): AdapterInput {
  if (base.kind === 'none' || direction.kind === 'none') return base;
  return { ...base, value: shifted(base.value, direction.value, by) };
}

function dot(a: Tensor<'float32'>, b: Tensor<'float32'>): number {
  assert.deepEqual(a.shape, b.shape);
  return a.data.reduce((sum, x, index) => sum + x * b.data[index]!, 0);
}
