/** Adapters of several parameters, tasks, classes and parts in training, through a gateway. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepParts } from '../../../clients/typescript/adapters/adapter.js';
import { checkAdapter } from '../../../clients/typescript/connection/served-model.js';
import {
  type Adapter,
  ClientBundle,
  type Connection,
  classify,
  combine,
  connect,
  createAdapter,
  type Example,
  evaluate,
  generate,
  loadAdapter,
  type MethodName,
  type MethodSettingsInput,
  makeBatch,
  methodNames,
  RemoteModel,
  SplitModel,
  TrainingClient,
  toExamples,
} from '../../../clients/typescript/index.js';
import { every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

/** What each method needs to be made at all. */
const settings: Readonly<Record<MethodName, MethodSettingsInput>> = {
  'prompt-tuning': { virtualTokens: 3 },
  'p-tuning': { virtualTokens: 3, encoderHidden: 8 },
  'prefix-tuning': { virtualTokens: 3 },
  'multitask-prompt-tuning': { virtualTokens: 3, tasks: ['parts', 'signs'] },
  'trainable-tokens': { tokens: ['a', 'e'] },
  lora: { rank: 2, targets: ['lm_head'] },
  full: {},
  'classification-head': { labels: ['pump', 'valve'] },
};

describe('adapters in training', () => {
  let gateway: TestGateway;
  let bundle: ClientBundle;
  let connection: Connection;
  let model: SplitModel;
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-adapters-'));
    const packed = await packedFixture('llama-tiny', { bottom: 1, top: 1 });
    gateway = await startTestGateway({ backboneDir: packed.backboneDir });
    bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
    connection = await connect({ address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() });
    model = new SplitModel(bundle, new RemoteModel(connection));
  });

  after(async () => {
    connection?.close();
    await bundle?.close();
    await gateway?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const create = (names: string, more: MethodSettingsInput = {}) => {
    const own = names.split('+').map((name) => settings[name as MethodName]);
    return createAdapter({ bundle }, names, Object.assign({ seed: 7 }, ...own, more) as MethodSettingsInput);
  };
  const examplesOf = (records: readonly Record<string, string>[], adapter: Adapter): readonly Example[] =>
    records.flatMap(({ text = '', ...names }, line) =>
      toExamples(
        { form: 'text', text, ...names },
        bundle.tokenizer,
        { maxLength: 40, labels: adapter.labels, tasks: adapter.tasks },
        `test:${line + 1}`,
      ),
    );
  const bytesOf = (adapter: Adapter) => adapter.parameters.map(({ value }) => value.data.slice());

  for (const method of every(4, methodNames)) {
    it(`${method}: begins with the same bytes for the same seed, and its names are distinct`, async () => {
      const [one, two] = [await create(method), await create(method)];
      assert.ok(one.parameters.length > 0);
      assert.deepEqual(bytesOf(two), bytesOf(one));
      assert.equal(new Set(one.parameters.map(({ name }) => name)).size, one.parameters.length);
      assert.equal(one.method, method);
    });

    it(`${method}: is saved and loaded with the same parts, and a step lowers the loss of its batch`, async () => {
      const adapter = await create(method);
      const task = adapter.tasks === undefined ? undefined : 1;
      const records = [
        { text: 'The pump runs hot', label: 'pump', task: 'signs' },
        { text: 'The valve leaks', label: 'valve', task: 'signs' },
      ];
      const examples = examplesOf(records, adapter);
      const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.01, optimizer: { weightDecay: 0 } });
      const losses: number[] = [];
      for (let step = 0; step < 3; step++) {
        void client.forwardBackward(examples);
        losses.push((await client.optimStep()).loss);
      }
      assert.ok(losses[2]! < losses[0]!, losses.join(', '));
      const path = join(dir, method);
      await mkdir(path);
      await adapter.save(path);
      const loaded = await loadAdapter(path, { bundle });
      const [wanted, got] = [await adapter.parts(task), await loaded.parts(task)];
      const batch = makeBatch(examples);
      assert.deepEqual(Object.keys(got).sort(), Object.keys(wanted).sort());
      const [a, b] = [await model.evaluate(batch, wanted), await model.evaluate(batch, got)];
      assert.ok(Math.abs(a.lossSum - b.lossSum) < 1e-5 * a.lossSum, `${a.lossSum} against ${b.lossSum}`);
    });

    it(`${method}: a checkpoint gives its parameters and moments back, so that the next step is the same`, async () => {
      const adapter = await create(method);
      const examples = examplesOf([{ text: 'The pump runs hot', label: 'pump', task: 'parts' }], adapter);
      const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.01 });
      const step = async (trainer: TrainingClient) => {
        void trainer.forwardBackward(examples);
        return (await trainer.optimStep()).loss;
      };
      await step(client);
      const state = join(dir, `${method}-state`);
      await client.saveState(state);
      const wanted = [await step(client), await step(client)];
      const again = new TrainingClient(bundle, connection, await create(method, { seed: 8 }), { learningRate: 0.01 });
      await again.loadState(state);
      assert.deepEqual([await step(again), await step(again)], wanted);
      assert.deepEqual(bytesOf(again.adapter), bytesOf(adapter));
    });
  }

  it('compute their parts once per optimizer step and task, and pull back once', async () => {
    const adapter = await create('multitask-prompt-tuning');
    const calls: string[] = [];
    const counting: Adapter = Object.create(adapter, {
      parts: {
        value: (task?: number) => {
          calls.push(`parts ${task}`);
          return adapter.parts(task);
        },
      },
      pullBack: {
        value: (cotangents: Parameters<Adapter['pullBack']>[0], task?: number) => {
          calls.push(`pullBack ${task}`);
          return adapter.pullBack(cotangents, task);
        },
      },
    });
    // Private fields live on the adapter itself.
    for (const name of ['parameters', 'tasks', 'numVirtualTokens'] as const)
      Object.defineProperty(counting, name, { get: () => adapter[name] });
    const examples = examplesOf(
      [
        { text: 'The pump', task: 'signs' },
        { text: 'The valve', task: 'parts' },
      ],
      adapter,
    );
    const client = new TrainingClient(bundle, connection, counting);
    for (let step = 0; step < 2; step++) {
      void client.forwardBackward(examples);
      void client.forwardBackward(examples);
      await client.optimStep();
    }
    assert.deepEqual(calls.slice(0, 4).sort(), ['parts 0', 'parts 1', 'pullBack 0', 'pullBack 1']);
    assert.equal(calls.length, 8);
  });

  it('of several tasks learn from a mixed batch what they learn from one batch of each, and are measured task by task', async () => {
    const records = [
      { text: 'The pump runs hot', task: 'signs' },
      { text: 'The valve leaks oil', task: 'parts' },
      { text: 'The motor', task: 'signs' },
    ];
    const [mixed, apart] = [await create('multitask-prompt-tuning'), await create('multitask-prompt-tuning')];
    const examples = examplesOf(records, mixed);
    const one = new TrainingClient(bundle, connection, mixed);
    const result = await one.forwardBackward(examples);
    assert.equal(result.exact.length, 3);
    const first = await one.optimStep();
    const two = new TrainingClient(bundle, connection, apart);
    void two.forwardBackward([examples[0]!, examples[2]!]);
    void two.forwardBackward([examples[1]!]);
    assert.deepEqual(await two.optimStep(), first);
    assert.deepEqual(bytesOf(apart), bytesOf(mixed));

    const measured = await evaluate(model, mixed, examples);
    assert.deepEqual(Object.keys(measured.tasks!).sort(), ['parts', 'signs']);
    const alone = await evaluate(model, mixed, [examples[1]!]);
    assert.equal(measured.tasks!.parts!.loss, alone.loss);
    assert.equal(measured.targets, measured.tasks!.parts!.targets + measured.tasks!.signs!.targets);
  });

  it('of several tasks refuse examples and prompts without one', async () => {
    const adapter = await create('multitask-prompt-tuning');
    const [example] = examplesOf([{ text: 'The pump', task: 'signs' }], adapter);
    const { task: _, ...bare } = example!;
    const wanted = { code: 'INVALID_ARGUMENT', message: /made for the tasks parts, signs; expected one of them, got none/ };
    await assert.rejects(new TrainingClient(bundle, connection, adapter).forwardBackward([bare]), wanted);
    await assert.rejects(generate(model, adapter, 'The').next(), wanted);
    await assert.rejects(evaluate(model, adapter, [bare]), wanted);
    const text = generate(model, adapter, 'The', { task: 'signs', maxNewTokens: 1 });
    await text.next();
  });

  it('with a classification head learn classes, classify with them and generate nothing', async () => {
    const adapter = await create('prompt-tuning+classification-head');
    assert.deepEqual(adapter.labels, ['pump', 'valve']);
    const examples = examplesOf(
      [
        { text: 'The pump runs hot', label: 'pump' },
        { text: 'The valve leaks oil', label: 'valve' },
        { text: 'pump', label: 'pump' },
        { text: 'valve', label: 'valve' },
      ],
      adapter,
    );
    const client = new TrainingClient(bundle, connection, adapter, { learningRate: 0.05 });
    for (let step = 0; step < 30; step++) {
      void client.forwardBackward(examples);
      await client.optimStep();
    }
    const measured = await evaluate(model, adapter, examples);
    assert.equal(measured.accuracy, 1, `loss ${measured.loss}`);
    assert.equal(measured.targets, 4);
    const found = await classify(model, adapter, ['The valve leaks oil', 'The pump runs hot']);
    assert.deepEqual(
      found.map(({ label }) => label),
      ['valve', 'pump'],
    );
    assert.ok(found.every(({ probabilities }) => Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-9));
    await assert.rejects(generate(model, adapter, 'The').next(), {
      code: 'INVALID_ARGUMENT',
      message: /is a classification head \(pump, valve\)/,
    });
    await assert.rejects(evaluate(model, adapter, examples, { generateExamples: 1 }), {
      code: 'INVALID_ARGUMENT',
      message: /generates no text/,
    });
    await assert.rejects(classify(model, await create('prompt-tuning'), ['a']), {
      code: 'INVALID_ARGUMENT',
      message: /no classification head/,
    });
  });

  describe('in combination', () => {
    it('fill their places together and get the gradients that each would get', async () => {
      const both = await create('prompt-tuning+lora', { targets: ['lm_head', 'q_proj'] });
      assert.deepEqual(
        both.parameters.map(({ name }) => name.split('/')[0]),
        both.parameters.map((_, at) => (at === 0 ? 'prompt-tuning' : 'lora')),
      );
      const parts: StepParts = await both.parts();
      assert.deepEqual(Object.keys(parts).sort(), ['blockWeights', 'headLora', 'softPrompt']);
      const batch = makeBatch(examplesOf([{ text: 'The pump runs hot' }], both));
      const { cotangents } = await model.gradient(batch, parts);
      const gradients = await both.pullBack(cotangents);
      assert.deepEqual(gradients[0], cotangents.softPrompt!.data);
      assert.equal(gradients.length, both.parameters.length);
    });

    it('are saved part by part and loaded as one', async () => {
      const both = await create('prompt-tuning+lora+trainable-tokens');
      const path = join(dir, 'three');
      await mkdir(path);
      await both.save(path);
      assert.deepEqual((await readdir(path)).sort(), ['cutlayer_adapter.json', 'lora', 'prompt-tuning', 'trainable-tokens']);
      assert.ok((await readdir(join(path, 'prompt-tuning'))).includes('adapter_config.json'));
      const loaded = await loadAdapter(path, { bundle });
      assert.deepEqual(bytesOf(loaded), bytesOf(both));
      assert.deepEqual(
        loaded.parameters.map(({ name }) => name),
        both.parameters.map(({ name }) => name),
      );
    });

    it('are refused by name where two want the same place', async () => {
      const refused = (names: string, message: RegExp) => assert.rejects(create(names), { code: 'INVALID_ARGUMENT', message });
      await refused('prompt-tuning+prefix-tuning', /prompt-tuning and prefix-tuning both put virtual tokens before the text/);
      await refused('prompt-tuning+prompt-tuning', /prompt-tuning is named twice/);
      await refused('prompt-tuning+ia3', /expected prompt-tuning, .*classification-head.*got ia3/);
      await refused('lora+classification-head', /lora and classification-head both change the head/);
      const blocks = create('lora+full', { targets: ['q_proj'] });
      await assert.rejects(blocks, {
        code: 'INVALID_ARGUMENT',
        message: /lora and full both fill weight model\.layers\.0\.self_attn\.q_proj\.weight/,
      });
      assert.throws(() => combine({ bundle }, []), { code: 'INVALID_ARGUMENT' });
    });
  });

  it('that the gateway cannot run are refused before any work', async () => {
    const { card } = connection;
    assert.deepEqual(card.adapters, ['softPrompt', 'prefix']);
    const bare = { ...card, adapters: ['softPrompt'] as const };
    const prefix = await create('prefix-tuning');
    assert.throws(() => checkAdapter(bare, prefix), {
      code: 'ADAPTER_UNSUPPORTED',
      message: /^prefix-tuning: the backbone .* takes no prefix: it has no inputs for keys and values; train a soft prompt/,
    });
    checkAdapter(bare, await create('prompt-tuning'));
    checkAdapter(bare, await create('lora'));
    const many = await create('prompt-tuning', { virtualTokens: card.limits.maxVirtualTokens + 1 });
    assert.throws(() => new TrainingClient(bundle, connection, many), { code: 'LIMIT_EXCEEDED', message: /use fewer/ });
  });

  it('are refused with lists that none of the methods reads, and with settings that are none', async () => {
    const refused = (names: string, more: MethodSettingsInput, message: RegExp) =>
      assert.rejects(create(names, more), { code: 'INVALID_ARGUMENT', message });
    await refused(
      'prompt-tuning',
      { labels: ['a', 'b'] },
      /labels: only classification-head reads them; use the method prompt-tuning\+classification-head/,
    );
    await refused('lora', { tasks: ['a'] }, /tasks: only multitask-prompt-tuning reads them/);
    await refused('prompt-tuning', { initText: 'classify' }, /initText: only --init TEXT \(init\) begins with it, none was given/);
    await refused('prompt-tuning', { initText: 'classify', init: 'RANDOM' }, /got RANDOM/);
    await refused('lora', { rank: 0 }, /^rank: /);
    await refused('lora', { ranks: 3 } as MethodSettingsInput, /ranks/);
  });

  describe('saved for another model', () => {
    const saved = async (name: string, change: Record<string, unknown>) => {
      const path = join(dir, name);
      await (await create('prompt-tuning')).save(path);
      const file = join(path, 'cutlayer_adapter.json');
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...change }));
      return loadAdapter(path, { bundle });
    };

    it('are refused with what to do', async () => {
      await assert.rejects(saved('backbone', { backboneDigest: 'f'.repeat(64) }), {
        code: 'ADAPTER_MISMATCH',
        message: /trained against backbone ffffffffffff, but .* another cut of it\); use the client bundle that it was trained with/,
      });
      await assert.rejects(saved('tokenizer', { tokenizerDigest: 'f'.repeat(64) }), {
        code: 'ADAPTER_MISMATCH',
        message: /trained with tokenizer ffffffffffff, .*its token ids would mean other texts/,
      });
      await assert.rejects(saved('format', { formatVersion: 9 }), {
        code: 'INVALID_ADAPTER',
        message: /cutlayer_adapter\.json: formatVersion/,
      });
      await assert.rejects(saved('escape', { method: 'combined', parts: ['a', '../b'] }), {
        code: 'INVALID_ADAPTER',
        message: /plain name/,
      });
    });

    it("are refused at another cut of the same model, but PEFT's files alone are not", async () => {
      const path = join(dir, 'cut');
      await (await create('prefix-tuning')).save(path);
      const whole = await ClientBundle.open((await packedFixture('llama-tiny')).bundleDir, { threads: 1 });
      try {
        await assert.rejects(loadAdapter(path, { bundle: whole }), { code: 'ADAPTER_MISMATCH', message: /delete cutlayer_adapter\.json/ });
        await rm(join(path, 'cutlayer_adapter.json'));
        assert.equal((await loadAdapter(path, { bundle: whole })).method, 'prefix-tuning');
      } finally {
        await whole.close();
      }
    });
  });
});
