/** DP-SGD on the client's own adapter, through a gateway: what one example can change, the noise, the ledger. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  connect,
  createAdapter,
  type Example,
  loadAdapter,
  makeBatch,
  RemoteModel,
  SplitModel,
  TrainingClient,
  type TrainOptions,
  toExamples,
  train,
} from '../../../clients/typescript/index.js';
import { METRICS_FILE, readMetrics } from '../../../clients/typescript/training/metrics.js';
import { PrivateGradientSum, type StepPrivacy } from '../../../clients/typescript/training/privacy/private-gradient-sum.js';
import { PRIVACY_LEDGER_FILE } from '../../../clients/typescript/training/privacy/run-ledger.js';
import { epsilonOf } from '../../../src/privacy/accountant.js';
import { clipByNorm } from '../../../src/privacy/clip.js';
import { gaussianEvent } from '../../../src/privacy/event.js';
import { every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { seededBytes } from '../../support/seeded-bytes.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

const texts = ['the pump leaks', 'a valve is stuck again', 'the pump hums', 'valve open', 'pump pump pump', 'a very slow valve'];
const METHOD = 'prompt-tuning+classification-head';

describe('private training', () => {
  let gateway: TestGateway;
  let bundle: ClientBundle;
  let connection: Connection;
  let dir: string;
  let examples: readonly Example[];
  let runs = 0;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-private-'));
    const packed = await packedFixture('llama-tiny');
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
    connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
    const { labels } = await newAdapter();
    examples = texts.flatMap((text, at) =>
      toExamples(
        { form: 'text', text, label: /pump/.test(text) ? 'pump' : 'valve' },
        bundle.tokenizer,
        { maxLength: 40, labels },
        `test:${at}`,
      ),
    );
  });

  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const newAdapter = (): Promise<Adapter> => createAdapter({ bundle }, METHOD, { virtualTokens: 3, labels: ['pump', 'valve'], seed: 5 });
  const newClient = async (privacy?: StepPrivacy) =>
    new TrainingClient(bundle, connection, await newAdapter(), { learningRate: 0.01, privacy });
  const valuesOf = ({ adapter }: { readonly adapter: Adapter }) => adapter.parameters.flatMap(({ value }) => [...value.data]);

  /** What a private step would hand to the optimizer. */
  const gradientOf = async (chosen: readonly Example[], privacy: StepPrivacy): Promise<Float64Array> => {
    const adapter = await newAdapter();
    const model = new SplitModel(bundle, new RemoteModel(connection));
    const sum = new PrivateGradientSum(adapter, privacy);
    const parts = await adapter.parts();
    for (const example of chosen) sum.add(model.gradient(makeBatch([example]), parts).then((result) => ({ task: undefined, ...result })));
    const { gradients } = await sum.gradients();
    return Float64Array.from(gradients.flatMap((gradient) => [...gradient]));
  };
  const distance = (a: Float64Array, b: Float64Array) => Math.hypot(...a.map((value, at) => value - b[at]!));

  it('takes the step of plain training when nothing is clipped, no noise is added and every example is drawn', async () => {
    const plain = await newClient();
    await plain.forwardBackward(examples);
    const expected = await plain.optimStep();
    for (const noiseMultiplier of [0, 2 ** -20]) {
      const client = await newClient({
        clipNorm: noiseMultiplier === 0 ? 1e9 : 64,
        noiseMultiplier,
        expectedBatch: examples.length,
        random: seededBytes(1),
      });
      await client.forwardBackward(examples);
      const step = await client.optimStep();
      assert.ok(Math.abs(step.loss - expected.loss) < 1e-5);
      assert.equal(step.targets, examples.length);
      // AdamW's first step is the learning rate by the gradient's sign, so the gradients' own size is compared as well.
      assert.ok(Math.abs(step.gradNorm / expected.gradNorm - 1) < 1e-3, `${step.gradNorm}, plain ${expected.gradNorm}`);
      if (noiseMultiplier === 0) {
        const other = valuesOf(plain);
        assert.ok(valuesOf(client).every((value, at) => Math.abs(value - other[at]!) < 1e-4));
      }
    }
  });

  it('lets one example more change the sum by no more than the clip norm, and by as much when it is clipped', async () => {
    const privacy = { clipNorm: 0.01, noiseMultiplier: 0, expectedBatch: 4 };
    for (const [at, extra] of every(3, [...examples.entries()])) {
      const without = examples.filter((_, other) => other !== at);
      const moved = distance(await gradientOf(examples, privacy), await gradientOf(without, privacy)) * 4;
      assert.ok(moved <= 0.01 * (1 + 1e-5) && moved > 0.0099, `${moved} for example ${at} of ${extra.tokenIds.length} tokens`);
    }
  });

  it('clips each example by itself, not their sum', async () => {
    const wide = { clipNorm: 1e6, noiseMultiplier: 0, expectedBatch: 1 };
    const own = await Promise.all(examples.map(async (example) => Float32Array.from(await gradientOf([example], wide))));
    const norms = own.map((gradient) => Math.hypot(...gradient)).sort((a, b) => a - b);
    const clipNorm = norms[2]!;
    for (const gradient of own) clipByNorm([gradient], clipNorm);
    const expected = own[0]!.map((_, i) => own.reduce((sum, gradient) => sum + gradient[i]!, 0));
    const found = await gradientOf(examples, { ...wide, clipNorm });
    assert.ok(distance(found, Float64Array.from(expected)) < 1e-5 * clipNorm);
  });

  it('adds noise of the multiplier times the clip norm over the expected batch, also to a step that drew nobody', async () => {
    const [noiseMultiplier, clipNorm, expectedBatch] = [2.5, 0.3, 4];
    const gradients = await Promise.all(
      Array.from({ length: 40 }, (_, seed) => gradientOf([], { noiseMultiplier, clipNorm, expectedBatch, random: seededBytes(seed) })),
    );
    const all = gradients.flatMap((gradient) => [...gradient]);
    const deviation = Math.sqrt(all.reduce((sum, x) => sum + x * x, 0) / all.length);
    const expected = (noiseMultiplier * clipNorm) / expectedBatch;
    assert.ok(Math.abs(deviation / expected - 1) < 5 / Math.sqrt(2 * all.length), `${deviation}, expected ${expected}`);
    const client = await newClient({ noiseMultiplier, clipNorm, expectedBatch });
    const before = valuesOf(client);
    await client.optimStep();
    assert.notDeepEqual(valuesOf(client), before);
  });

  it('takes no ready-made batch of several examples, which could not be told apart', async () => {
    const client = await newClient({ noiseMultiplier: 1, clipNorm: 1, expectedBatch: 2 });
    assert.throws(() => client.forwardBackward(makeBatch(examples.slice(0, 2))), {
      code: 'INVALID_ARGUMENT',
      message: /batches of 1 sequence, got one of 2/,
    });
  });

  describe('as a whole run', () => {
    const privacy: StepPrivacy = { clipNorm: 0.5, noiseMultiplier: 1.5, expectedBatch: 2 };
    const rate = 2 / texts.length;
    const spent = (steps: number, delta = 0.01) => epsilonOf([gaussianEvent(1.5, { kind: 'poisson', rate }, steps)], delta).epsilon;
    const newDir = () => join(dir, `run${runs++}`);
    const run = async (outDir: string, more: Partial<TrainOptions> = {}, step: StepPrivacy = privacy) =>
      train(await newClient(step), {
        outDir,
        examples,
        totalSteps: 8,
        batchSize: 2,
        checkpointEvery: 3,
        tensorboard: false,
        privacy: { delta: 0.01 },
        ...more,
      });
    const ledgerLines = async (outDir: string) => (await readFile(join(outDir, PRIVACY_LEDGER_FILE), 'utf8')).split('\n').slice(0, -1);
    const jsonOf = async (...path: readonly string[]) => JSON.parse(await readFile(join(...path), 'utf8')) as Record<string, unknown>;

    it('tells unit, epsilon, delta, steps and sampling in its summary, its log and beside the adapter', async () => {
      const outDir = newDir();
      const { privacy: statement, adapterDir } = await run(outDir);
      assert.deepEqual(
        { ...statement, order: 0 },
        {
          unit: 'example',
          epsilon: spent(8),
          delta: 0.01,
          order: 0,
          rounds: 8,
          sampling: { kind: 'poisson', rate },
          noiseMultiplier: 1.5,
        },
      );
      const beside = await jsonOf(adapterDir!, 'privacy.json');
      assert.equal(beside.epsilon, spent(8));
      assert.match(
        String(beside.statement),
        /^\(example, epsilon \d+\.\d{3}, delta 0\.01\) after 8 steps, Poisson sampling at rate 0\.3333, noise multiplier 1\.5$/,
      );
      const logged = (await readMetrics(join(outDir, METRICS_FILE))).filter(({ type }) => type === 'privacy');
      assert.deepEqual(
        logged.map(({ step, epsilon }) => [step, epsilon]),
        [3, 6, 8].map((step) => [step, spent(step)]),
      );
      await loadAdapter(adapterDir!, { bundle });
    });

    it('draws each step by Poisson sampling: batches of differing sizes, empty ones too', async () => {
      const outDir = newDir();
      await run(outDir, { totalSteps: 30, batchSize: 1 }, { ...privacy, expectedBatch: 1, random: seededBytes(11) });
      const sizes = (await readMetrics(join(outDir, METRICS_FILE)))
        .filter(({ type }) => type === 'step')
        .map(({ targets }) => Number(targets));
      assert.ok(sizes.includes(0) && sizes.includes(1) && sizes.some((size) => size > 1), String(sizes));
      const mean = sizes.reduce((sum, size) => sum + size, 0) / 30;
      assert.ok(Math.abs(mean - 1) < 5 * Math.sqrt(5 / 6 / 30), String(mean));
    });

    it('ends before the step that would go over the budget, with the adapter up to there', async () => {
      const outDir = newDir();
      const epsilon = (spent(5) + spent(6)) / 2;
      const summary = await run(outDir, { privacy: { delta: 0.01, epsilon } });
      assert.equal(summary.stopped, 'budget');
      assert.equal(summary.step, 5);
      assert.equal(summary.privacy?.epsilon, spent(5));
      assert.ok((await stat(join(summary.adapterDir!, 'privacy.json'))).isFile());
      const again = await run(outDir, { resume: true, privacy: { delta: 0.01, epsilon } });
      assert.equal(again.stopped, 'budget');
      assert.equal((await ledgerLines(outDir)).length, 5, 'a resume spends nothing when nothing is left');
    });

    it('refuses a budget that not even the first step fits into, naming what to change', async () => {
      await assert.rejects(run(newDir(), { privacy: { delta: 0.01, epsilon: spent(1) / 2 } }), {
        code: 'BUDGET_EXHAUSTED',
        message: /the first step is refused.*use more noise, smaller batches or a larger budget/,
      });
    });

    it('has a step on its ledger before the parameters of that step exist', async () => {
      const outDir = newDir();
      const client = await newClient(privacy);
      const lines: number[] = [];
      const optimStep = client.optimStep.bind(client);
      client.optimStep = async (options) => {
        lines.push((await ledgerLines(outDir)).length);
        return optimStep(options);
      };
      await train(client, { outDir, examples, totalSteps: 4, batchSize: 2, tensorboard: false, privacy: { delta: 0.01 } });
      assert.deepEqual(lines, [1, 2, 3, 4]);
    });

    it('counts steps that a crash has lost, and their second turn too', async () => {
      const outDir = newDir();
      const crash = new Error('crash');
      await assert.rejects(
        run(outDir, {
          onEvent: (event) => {
            if (event.type === 'step' && event.step === 5) throw crash;
          },
        }),
      );
      assert.equal((await ledgerLines(outDir)).length, 5);
      // As a crash may leave it: half a line of a step that was never taken.
      await appendFile(join(outDir, PRIVACY_LEDGER_FILE), '{"step":6,"ev');
      const summary = await run(outDir, { resume: true });
      assert.equal(summary.step, 8);
      // 5 before, and 4 to 8 after the checkpoint of step 3.
      assert.equal(summary.privacy?.rounds, 10);
      assert.equal(summary.privacy?.epsilon, spent(10));
      assert.equal((await jsonOf(outDir, 'adapter', 'privacy.json')).epsilon, spent(10));
      for (const line of await ledgerLines(outDir)) JSON.parse(line);
    });

    it('is not repeated by its seed: noise and examples are drawn anew each time', async () => {
      const losses = async () => {
        const outDir = newDir();
        await run(outDir, { totalSteps: 3 });
        return (await readMetrics(join(outDir, METRICS_FILE))).filter(({ type }) => type === 'step').map(({ gradNorm }) => gradNorm);
      };
      assert.notDeepEqual(await losses(), await losses(), 'two runs with the same seed differ');
    });

    it('refuses to go on when the ledger lacks what the checkpoint was paid with, or is no ledger', async () => {
      const outDir = newDir();
      await run(outDir, { totalSteps: 3 });
      const path = join(outDir, PRIVACY_LEDGER_FILE);
      const whole = await readFile(path, 'utf8');
      const resumed = () => run(outDir, { totalSteps: 3, resume: true });
      await writeFile(path, `${whole.split('\n')[0]}\n`);
      await assert.rejects(resumed(), { code: 'INVALID_CONFIG', message: /tells of 1 steps, but the newest checkpoint was made after 3/ });
      await rm(path);
      await assert.rejects(resumed(), { code: 'INVALID_CONFIG', message: /tells of 0 steps/ });
      await writeFile(path, `{"step":1}\n${whole}`);
      await assert.rejects(resumed(), { code: 'INVALID_CONFIG', message: /privacy-ledger\.jsonl:1: not a line of a privacy ledger/ });
      await writeFile(path, whole);
      assert.equal((await resumed()).privacy?.rounds, 3);
    });

    it('is not resumed with other noise or without any', async () => {
      const outDir = newDir();
      await run(outDir, { totalSteps: 3 });
      await assert.rejects(run(outDir, { totalSteps: 3, resume: true }, { ...privacy, noiseMultiplier: 1 }), {
        code: 'INVALID_CONFIG',
        message: /dpNoiseMultiplier was 1\.5, now it is 1/,
      });
      const plain = train(await newClient(), { outDir, examples, totalSteps: 3, batchSize: 2, tensorboard: false, resume: true });
      await assert.rejects(plain, { code: 'INVALID_CONFIG', message: /dp(ClipNorm|NoiseMultiplier) was/ });
    });

    it('refuses settings that do not fit together, by name', async () => {
      await assert.rejects(run(newDir(), { privacy: { delta: 0.2 } }), {
        code: 'INVALID_ARGUMENT',
        message: /delta: expected.*below 1 \/ 6 examples/,
      });
      await assert.rejects(run(newDir(), { batchSize: 3 }), {
        code: 'INVALID_ARGUMENT',
        message: /expects 2 examples of a step, the run takes 3 x 1/,
      });
      await assert.rejects(run(newDir(), { batchSize: 7 }, { ...privacy, expectedBatch: 7 }), {
        code: 'INVALID_ARGUMENT',
        message: /there are only 6/,
      });
      await assert.rejects(run(newDir(), { privacy: undefined }), { code: 'INVALID_ARGUMENT', message: /or to neither/ });
      await assert.rejects(run(newDir(), { privacy: { delta: 0.01, epsilon: 3 } }, { ...privacy, noiseMultiplier: 0 }), {
        code: 'BUDGET_EXHAUSTED',
      });
    });
  });
});
