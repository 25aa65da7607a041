/** Whole runs of `train()` through a gateway process: determinism, resume, limits, accounting. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClientBundle,
  type Connection,
  connect,
  type Example,
  evaluate,
  loadAdapter,
  loadExamples,
  makeBatch,
  Prefix,
  RemoteModel,
  SoftPrompt,
  SplitModel,
  schedule,
  type TrainEvent,
  TrainingClient,
  type TrainingOptions,
  type TrainOptions,
  train,
  type WireDType,
} from '../../clients/typescript/index.js';
import { packageRoot } from '../../src/files/package-root.js';
import { readTensors } from '../../src/safetensors/tensors-file.js';
import { depth, thorough } from '../support/exhaustive.js';
import { type GatewayHere, startGatewayHere } from '../support/gateway-here.js';
import { packedFixture } from '../support/packed-fixture.js';
import { writeNotes } from '../support/training-data.js';

describe('a training run through a gateway', () => {
  let dir: string;
  let gateway: GatewayHere;
  let token: string;
  let bundle: ClientBundle;
  let connection: Connection;
  let examples: readonly Example[];
  let validation: readonly Example[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-run-'));
    const { backboneDir, bundleDir } = await packedFixture('llama-tiny');
    gateway = await startGatewayHere({ backboneDir });
    token = await gateway.token('acme');
    bundle = await ClientBundle.open(bundleDir, { threads: 1 });
    connection = await open('f32');
    writeNotes(join(dir, 'train.jsonl'), 30, 1);
    writeNotes(join(dir, 'valid.jsonl'), 10, 2);
    examples = await loadExamples(join(dir, 'train.jsonl'), bundle.tokenizer, { maxLength: 60 });
    validation = await loadExamples(join(dir, 'valid.jsonl'), bundle.tokenizer, { maxLength: 60 });
  });

  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const open = (wireDtype: WireDType) => connect({ address: gateway.address, ca: gateway.caFile!, token, wireDtype });
  const newPrompt = () => SoftPrompt.create(bundle, 4, { init: 'SAMPLE_VOCAB', seed: 9 });
  const totalSteps = 12;

  interface RunOutcome {
    readonly losses: readonly number[];
    readonly validations: readonly number[];
    readonly adapter: Float32Array;
    readonly events: readonly TrainEvent[];
  }

  const runOnce = async (name: string, options: Partial<TrainOptions> = {}, client: TrainingOptions = {}): Promise<RunOutcome> => {
    const adapter = await newPrompt();
    const events: TrainEvent[] = [];
    const trainer = new TrainingClient(bundle, connection, adapter, {
      learningRate: 0.02,
      schedule: schedule('cosine', { warmupSteps: 2, totalSteps }),
      maxGradNorm: 1,
      ...client,
    });
    await train(trainer, {
      outDir: join(dir, name),
      examples,
      totalSteps,
      batchSize: 4,
      accumulation: 2,
      seed: 3,
      checkpointEvery: 4,
      ...options,
      onEvent: (event) => {
        events.push(event);
        options.onEvent?.(event);
      },
    });
    const text = await readFile(join(dir, name, 'metrics.jsonl'), 'utf8');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; loss: number });
    const lossesOf = (type: string) => lines.filter((line) => line.type === type).map((line) => line.loss);
    return { losses: lossesOf('step'), validations: lossesOf('validation'), adapter: adapter.parameters[0].value.data, events };
  };

  it('gives the same losses and adapter to the last bit, whatever the number of micro-batches under way', async () => {
    const settings = { accumulation: 4, totalSteps: depth(totalSteps, 4) };
    const one = await runOnce('depth-1', settings, { pipelineDepth: 1 });
    const four = await runOnce('depth-4', settings, { pipelineDepth: 4 });
    assert.equal(one.losses.length, settings.totalSteps);
    assert.deepEqual(four.losses, one.losses);
    assert.deepEqual(four.adapter, one.adapter);
  });

  it('is resumed after a cancellation with the losses and the adapter of a run that never stopped', async () => {
    const whole = await runOnce('whole', { validation });
    const controller = new AbortController();
    const stopAt = (event: TrainEvent) => {
      // A step after which there is a validation, which the resumed run has still to do.
      if (event.type === 'step' && event.step === 8) controller.abort();
    };
    const before = await runOnce('parts', { validation, signal: controller.signal, onEvent: stopAt });
    assert.equal(before.losses.length, 8);
    assert.equal(before.validations.length, 1);
    const resumed = await runOnce('parts', { validation, resume: true });
    assert.deepEqual(resumed.losses, whole.losses);
    assert.deepEqual(resumed.validations, whole.validations);
    assert.deepEqual(resumed.adapter, whole.adapter);
    const saved = await Promise.all(['whole', 'parts'].map((name) => readFile(join(dir, name, 'adapter', 'adapter_model.safetensors'))));
    assert.deepEqual(saved[0], saved[1]);
    assert.deepEqual((await readdir(join(dir, 'parts', 'checkpoints'))).sort(), ['step-00000008', 'step-00000012']);
  });

  thorough('goes on from the checkpoint before one that is broken, as the run would have, and says so', async () => {
    const whole = await runOnce('unbroken', { validation });
    await runOnce('broken', { validation });
    const checkpoint = (step: number) => join(dir, 'broken', 'checkpoints', `step-${String(step).padStart(8, '0')}`);
    const breakages: readonly [string, (path: string) => Promise<unknown>][] = [
      ['optimizer.safetensors', (file) => truncate(file, 100)],
      ['parameters.safetensors', (file) => rm(file)],
      ['state.json', (file) => writeFile(file, '{')],
      ['state.json', async (file) => writeFile(file, (await readFile(file, 'utf8')).replace('"progress"', '"lost"'))],
    ];
    for (const [file, damage] of breakages) {
      await damage(join(checkpoint(12), file));
      const resumed = await runOnce('broken', { validation, resume: true });
      const [notice, start] = resumed.events;
      assert.ok(notice?.type === 'broken-checkpoint' && notice.dir === checkpoint(12) && notice.instead === checkpoint(8), file);
      assert.ok(start?.type === 'start' && start.step === 8, file);
      assert.deepEqual(resumed.losses, whole.losses);
      assert.deepEqual(resumed.validations, whole.validations);
      assert.deepEqual(resumed.adapter, whole.adapter);
    }
    for (const step of [8, 12]) await truncate(join(checkpoint(step), 'parameters.safetensors'), 4);
    await assert.rejects(runOnce('broken', { validation, resume: true }), {
      code: 'INVALID_SAFETENSORS',
      message:
        /cannot resume from .*step-00000012: .*; no earlier checkpoint is intact: delete .*step-00000012 and .*step-00000008 to begin/,
    });
  });

  it('is not begun over another run, nor resumed with other settings or data', async () => {
    await runOnce('settled', { totalSteps: 4 });
    await assert.rejects(runOnce('settled', { totalSteps: 4 }), { code: 'ALREADY_EXISTS', message: /resume/ });
    const again = (options: Partial<TrainOptions>, client?: TrainingOptions) =>
      runOnce('settled', { totalSteps: 4, resume: true, ...options }, client);
    await assert.rejects(again({ seed: 4 }), { code: 'INVALID_CONFIG', message: /seed was 3, now it is 4/ });
    await assert.rejects(again({}, { learningRate: 0.5 }), { code: 'INVALID_CONFIG', message: /learningRate/ });
    await assert.rejects(again({ examples: examples.slice(1) }), { code: 'INVALID_CONFIG', message: /data was/ });
  });

  it('stops when the validation loss no longer falls, and keeps the best adapter', async () => {
    const validations: number[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.type === 'validation') validations.push(event.evaluation.loss);
    };
    // A rate at which the loss soon rises again.
    const options = { validation, evalEvery: 1, patience: 2, totalSteps: 60, onEvent };
    const { losses } = await runOnce('patience', options, { learningRate: 3, schedule: () => 1 });
    assert.ok(losses.length < 60, 'it stopped early');
    await assert.rejects(runOnce('unjudged', { patience: 2 }), { code: 'INVALID_ARGUMENT', message: /patience: .* no validation data/ });
    await assert.rejects(runOnce('unjudged', { evalEvery: 2 }), { code: 'INVALID_ARGUMENT', message: /evalEvery: .* no validation data/ });
    const best = Math.min(...validations);
    assert.equal(validations.length - 1 - validations.indexOf(best), 2, 'two validations after the best');
    const kept = await loadAdapter(join(dir, 'patience', 'adapter'), { bundle });
    const { loss } = await evaluate(new SplitModel(bundle, new RemoteModel(connection)), kept, validation, { batchSize: 4 });
    assert.equal(loss, best);
  });

  it('that diverges says so, leaves the adapter finite and names the last good checkpoint', async () => {
    const options = { checkpointEvery: 1 };
    const diverging = runOnce('diverging', options, { learningRate: 1e38, schedule: (step) => (step < 2 ? 1e-40 : 1) });
    await assert.rejects(diverging, { code: 'DIVERGED', message: /last good checkpoint is .*step-0000000/ });
    const newest = (await readdir(join(dir, 'diverging', 'checkpoints'))).sort().at(-1)!;
    const kept = await loadAdapter(join(dir, 'diverging', 'checkpoints', newest), { bundle });
    assert.ok(kept.parameters[0]!.value.data.every(Number.isFinite));
  });

  it('lowers the loss of its own examples', async () => {
    const { losses } = await runOnce('falling', { totalSteps: 12 }, { learningRate: 0.3, schedule: () => 1 });
    assert.ok(losses.at(-1)! < losses[0]! - 1, `from ${losses[0]} to ${losses.at(-1)}`);
  });

  it('moves exactly the bytes of the cost model', async () => {
    const batch = makeBatch(examples.slice(0, 3));
    const R = batch.lengths.reduce((sum, length) => sum + length, 0);
    const [P, d, bytes] = [4, 32, 4];
    const N = batch.targets.length;
    const trainer = new TrainingClient(bundle, connection, await newPrompt());
    const { bytesUp, bytesDown } = { ...connection.counters };
    await trainer.forwardBackward(batch);
    assert.equal(connection.counters.bytesUp - bytesUp, ((R + P) * d + N * d) * bytes);
    assert.equal(connection.counters.bytesDown - bytesDown, (N * d + P * d) * bytes);
  });

  for (const [dtype, tolerance] of [
    ['f16', 1e-3],
    ['bf16', 1e-2],
    ['int8', 2e-2],
  ] as const) {
    it(`has nearly the loss and the gradient of f32 with ${dtype} on the wire`, async () => {
      const narrow = await open(dtype);
      const batch = makeBatch(examples.slice(0, 4));
      const parts = await (await newPrompt()).parts();
      const [exact, rounded] = await Promise.all(
        [connection, narrow].map((link) => new SplitModel(bundle, new RemoteModel(link)).gradient(batch, parts)),
      );
      narrow.close();
      assert.ok(Math.abs(rounded!.lossSum / exact!.lossSum - 1) < tolerance, `loss ${rounded!.lossSum} against ${exact!.lossSum}`);
      const [wanted, got] = [exact!.cotangents.softPrompt!.data, rounded!.cotangents.softPrompt!.data];
      const norm = Math.hypot(...wanted);
      const difference = Math.hypot(...wanted.map((value, i) => value - got[i]!));
      assert.ok(difference / norm < 10 * tolerance, `gradient off by ${difference / norm}`);
      assert.notEqual(difference, 0);
    });
  }

  it('measures the bare model as transformers does', async () => {
    const file = join(packageRoot(), 'test/fixtures/llama-tiny/reference');
    const { batch, cases } = JSON.parse(await readFile(`${file}.json`, 'utf8')) as {
      batch: { tokenIds: number[][]; lengths: number[]; labels: number[][] };
      cases: { none: { loss: number } };
    };
    const reference = batch.lengths.map((length, b) => ({
      tokenIds: Int32Array.from(batch.tokenIds[b]!.slice(0, length)),
      labelMask: Uint8Array.from(batch.labels[b]!.slice(0, length), (label) => (label === -100 ? 0 : 1)),
      promptLength: 0,
      source: 'reference',
    }));
    const { loss, perplexity } = await evaluate(new SplitModel(bundle, new RemoteModel(connection)), undefined, reference);
    assert.ok(Math.abs(loss / cases.none.loss - 1) < 1e-5, `${loss} against ${cases.none.loss}`);
    assert.equal(perplexity, Math.exp(loss));
    assert.ok((await readTensors(`${file}.safetensors`)).tensors.size > 0);
  });

  it('gives accuracies that agree with generation: what is exact teacher-forced is generated', async () => {
    const adapter = Prefix.create(bundle, 3, { seed: 1, std: 0.5 });
    const trainer = new TrainingClient(bundle, connection, adapter, { learningRate: 0.2 });
    const few = examples.slice(0, 2);
    for (let step = 0; step < 40; step++) {
      void trainer.forwardBackward(few);
      await trainer.optimStep();
    }
    const result = await evaluate(trainer.model, adapter, few, { generateExamples: 2 });
    assert.equal(result.exactMatch, result.generationExactMatch);
    assert.equal(result.exactMatch, 1, `loss ${result.loss}: too high for the test to say anything`);
    const prompt = JSON.parse((await readFile(join(dir, 'train.jsonl'), 'utf8')).split('\n')[0]!) as { prompt: string; completion: string };
    let text = '';
    for await (const piece of trainer.sample(prompt.prompt, { maxNewTokens: 8 })) text += piece;
    assert.equal(text, prompt.completion);
  });

  it('refuses a bundle that belongs to another backbone, saying what to do', async () => {
    const other = await ClientBundle.open((await packedFixture('llama-tiny', { bottom: 1, top: 1 })).bundleDir, { threads: 1 });
    assert.throws(() => new SplitModel(other, new RemoteModel(connection)), {
      code: 'BACKBONE_MISMATCH',
      message: /get the client bundle that was packed together with that backbone/,
    });
    await other.close();
  });

  it('says at once, and not after minutes of trying, that a certificate is not trusted', async () => {
    const onRetry = (): never => assert.fail('it was tried again');
    await assert.rejects(connect({ address: gateway.address, token, onRetry }), {
      code: 'CERTIFICATE_REJECTED',
      message: /its certificate is not trusted .*pass the authority that signed it as CA/,
    });
  });

  it('steps only after a batch, and drops a batch that failed', async () => {
    const trainer = new TrainingClient(bundle, connection, await newPrompt());
    await assert.rejects(trainer.optimStep(), { code: 'INVALID_ARGUMENT', message: /call forwardBackward first/ });
    const before = trainer.adapter.parameters[0]!.value.data.slice();
    await assert.rejects(trainer.forwardBackward(examples.slice(0, 2), { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    await assert.rejects(trainer.optimStep(), { code: 'CANCELLED' });
    // An error that nobody waited for is told by optimStep, and does not end the process.
    void trainer.forwardBackward(examples.slice(0, 2), { signal: AbortSignal.abort() });
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(trainer.optimStep(), { code: 'CANCELLED' });
    assert.deepEqual(trainer.adapter.parameters[0]!.value.data, before);
    void trainer.forwardBackward(examples.slice(0, 2));
    assert.equal((await trainer.optimStep()).step, 1);
  });
});
