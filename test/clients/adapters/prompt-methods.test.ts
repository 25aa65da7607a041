/** Methods that make a prompt or a prefix out of other parameters, held to PEFT's own modules (test/conformance/prompt_methods.py). */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Adapter, Parameter, StepCotangents } from '../../../clients/typescript/adapters/adapter.js';
import { readAdapterConfig } from '../../../clients/typescript/adapters/adapter-config.js';
import { MultitaskPrompt, multitaskPromptTuning } from '../../../clients/typescript/adapters/multitask.js';
import { PTuning, pTuning } from '../../../clients/typescript/adapters/p-tuning.js';
import { flattenPrefix } from '../../../clients/typescript/adapters/peft.js';
import { prefixTuning } from '../../../clients/typescript/adapters/prefix.js';
import { ProjectedPrefix } from '../../../clients/typescript/adapters/prefix-projection.js';
import { methodSettings } from '../../../clients/typescript/adapters/settings.js';
import { CutlayerError } from '../../../src/errors.js';
import { packageRoot } from '../../../src/files/package-root.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { MethodModel } from '../../support/method-model.js';
import { maxRelativeError } from '../../support/packed-model.js';

/** The dims of the reference: no two that could be confused are equal. */
const dims = { hiddenSize: 12, numHeads: 4, numKvHeads: 2, headDim: 4, bottom: 1, backbone: 1, top: 1 };
const TOLERANCE = 1e-5;

const times =
  (factor: number) =>
  (values: Float32Array): Float32Array =>
    values.map((value) => factor * value);

type Made = (model: MethodModel, parameters: readonly Parameter[]) => Adapter;

const cases: Readonly<Record<string, { readonly place: 'softPrompt' | 'prefix'; readonly make: Made; readonly task?: number }>> = {
  mlp: { place: 'softPrompt', make: (model, parameters) => new PTuning(model, { kind: 'MLP', hiddenSize: 10, layers: 2 }, parameters) },
  lstm: { place: 'softPrompt', make: (model, parameters) => new PTuning(model, { kind: 'LSTM', hiddenSize: 5, layers: 2 }, parameters) },
  lstm1: { place: 'softPrompt', make: (model, parameters) => new PTuning(model, { kind: 'LSTM', hiddenSize: 6, layers: 1 }, parameters) },
  projection: { place: 'prefix', make: (model, parameters) => new ProjectedPrefix(model, parameters) },
  multitask: { place: 'softPrompt', make: (model, parameters) => new MultitaskPrompt(model, ['a', 'b', 'c'], parameters), task: 1 },
};

describe('methods with an encoder', () => {
  let reference: ReadonlyMap<string, Tensor<'float32'>>;
  let model: MethodModel;
  let dir: string;

  before(async () => {
    const { tensors } = await readTensors(join(packageRoot(), 'test/fixtures/methods/encoders.safetensors'));
    reference = tensors as ReadonlyMap<string, Tensor<'float32'>>;
    model = new MethodModel(dims);
  });
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cutlayer-methods-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));
  after(() => model.close());

  const of = (name: string, key: string): Tensor<'float32'> => reference.get(`${name}.${key}`)!;
  const parametersOf = (name: string): readonly Parameter[] =>
    [...reference.keys()]
      .filter((key) => key.startsWith(`${name}.`) && reference.has(`${key}.cotangent`))
      .map((key) => ({ name: key.slice(name.length + 1), value: f32(reference.get(key)!.shape, reference.get(key)!.data.slice()) }));
  const settings = (given: Parameters<typeof methodSettings>[0]) => methodSettings({ virtualTokens: 6, ...given });

  for (const [name, { place, make, task }] of Object.entries(cases)) {
    it(`${name}: gives what PEFT's module gives for the same parameters, under the same names`, async () => {
      const adapter = make(model, parametersOf(name));
      assert.equal(adapter.spanKind, place);
      const parts = await adapter.parts(task);
      assert.ok(maxRelativeError(parts[place]!, of(name, 'output')) < TOLERANCE);
    });

    it(`${name}: pulls a cotangent back to every parameter as torch does`, async () => {
      const adapter = make(model, parametersOf(name));
      const pulled = await adapter.pullBack({ [place]: of(name, 'outputCotangent') }, task);
      assert.equal(pulled.length, adapter.parameters.length);
      adapter.parameters.forEach((parameter, at) => {
        const wanted = of(name, `${parameter.name}.cotangent`);
        const error = maxRelativeError(f32(wanted.shape, pulled[at]!), wanted);
        assert.ok(error < TOLERANCE, `${parameter.name}: ${error}`);
      });
    });

    it(`${name}: pulls back linearly, nothing from no cotangent, and reads parameters as they are now`, async () => {
      const adapter = make(model, parametersOf(name));
      const cotangent = of(name, 'outputCotangent');
      const once = await adapter.pullBack({ [place]: cotangent }, task);
      const twice = await adapter.pullBack(
        {
          [place]: f32(
            cotangent.shape,
            cotangent.data.map((value) => 2 * value),
          ),
        },
        task,
      );
      assert.deepEqual(once.map(times(2)), twice);
      assert.ok((await adapter.pullBack({} as StepCotangents, task)).every((values) => values.every((value) => value === 0)));
      const before = (await adapter.parts(task))[place]!.data.slice();
      for (const { value } of adapter.parameters) value.data.set(times(1.5)(value.data));
      assert.notDeepEqual((await adapter.parts(task))[place]!.data, before);
    });
  }

  for (const [name, { place, make, task }] of Object.entries(cases).filter(([, { place }]) => place === 'softPrompt')) {
    it(`${name}: the rows enter the model scaled as the family scales embeddings from outside, and so do their cotangents`, async () => {
      const scaledModel = new MethodModel(dims, 4);
      const [plain, scaled] = [make(model, parametersOf(name)), make(scaledModel, parametersOf(name))];
      const [one, four] = [await plain.parts(task), await scaled.parts(task)];
      assert.deepEqual(
        four[place]!.data,
        one[place]!.data.map((value) => 4 * value),
      );
      const cotangent = { [place]: of(name, 'outputCotangent') };
      const [pulled, pulledScaled] = [await plain.pullBack(cotangent, task), await scaled.pullBack(cotangent, task)];
      assert.deepEqual(pulled.map(times(4)), pulledScaled);
      await scaledModel.close();
    });
  }

  it('lstm: the cells of a layer and direction run eight at a time, however many rows there are', async () => {
    const counted = new MethodModel(dims);
    await PTuning.create(counted, 17, { kind: 'LSTM', hiddenSize: 3, layers: 2 }, 1).parts();
    assert.deepEqual(Object.fromEntries(counted.runs), {
      promptEncoderLstmInput: 4,
      promptEncoderLstmCells: 4 * 3,
      promptEncoderLstmHead: 1,
    });
    await counted.close();
  });

  it('lstm: runs forward once for a prompt and its vjp, with the same bits as if it ran again', async () => {
    const found = [];
    // For each of two layers and directions: one forward or two, and two vjps.
    for (const [encoderRuns, ofStep] of [
      [true, 4 * 3],
      [false, 4 * 4],
    ] as const) {
      const counted = new MethodModel(dims);
      const adapter = new PTuning(counted, { kind: 'LSTM', hiddenSize: 5, layers: 2 }, parametersOf('lstm'), { encoderRuns });
      for (const factor of [1, 2]) {
        // As a training step: parameters change between two prompts.
        adapter.parameters.forEach(({ value }) => {
          value.data.set(times(factor)(value.data));
        });
        await adapter.parts();
        found.push(await adapter.pullBack({ softPrompt: of('lstm', 'outputCotangent') }));
      }
      assert.equal(counted.runs.get('promptEncoderLstmInput'), 2 * ofStep);
      await counted.close();
    }
    assert.deepEqual(found.slice(0, 2), found.slice(2));
    assert.notDeepEqual(found[0], found[1]);
  });

  describe('first values', () => {
    const created: Readonly<Record<string, (seed: number) => Promise<Adapter>>> = {
      'p-tuning MLP': (seed) => pTuning.create({ bundle: model }, settings({ encoderHidden: 9, seed })),
      'p-tuning LSTM': (seed) => pTuning.create({ bundle: model }, settings({ encoder: 'LSTM', encoderHidden: 7, seed })),
      'prefix projection': (seed) => prefixTuning.create({ bundle: model }, settings({ prefixProjection: true, encoderHidden: 7, seed })),
      multitask: (seed) => multitaskPromptTuning.create({ bundle: model }, settings({ tasks: ['a', 'b'], taskRank: 2, seed })),
    };
    for (const [name, create] of Object.entries(created)) {
      it(`${name}: depend on the seed alone`, async () => {
        const [first, again, other] = [await create(3), await create(3), await create(4)];
        assert.deepEqual(again.parameters, first.parameters);
        for (const [at, { value }] of first.parameters.entries()) assert.notDeepEqual(other.parameters[at]!.value, value);
        assert.ok(first.parameters.every(({ value }) => value.data.every(Number.isFinite)));
      });
    }

    const drawn = {
      'p-tuning': () => PTuning.create(model, 200, { kind: 'LSTM', hiddenSize: 64, layers: 1 }, 5),
      'prefix projection': () => ProjectedPrefix.create(model, 200, 64, 5),
    };
    const widths: Readonly<Record<string, number>> = { lstm_head: 64, mlp_head: 128, 'transform.0': 8, 'transform.2': 64 };
    for (const [name, create] of Object.entries(drawn)) {
      it(`${name}: are uniform within torch's bounds, 1/sqrt(in) of a Linear and 1/sqrt(H) of an LSTM, and rows N(0, 1)`, () => {
        for (const parameter of create().parameters) {
          const { data } = parameter.value;
          const variance = data.reduce((sum, x) => sum + x * x, 0) / data.length;
          const wide = Object.entries(widths).find(([start]) => parameter.name.startsWith(start))?.[1];
          const largest = data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          if (wide === undefined)
            assert.ok(parameter.name === 'embedding.weight' && Math.abs(variance - 1) < 0.1, `${parameter.name}: ${variance}`);
          else assert.ok(largest <= 1 / Math.sqrt(wide) && largest > 0.8 / Math.sqrt(wide), `${parameter.name}: ${largest}`);
        }
      });
    }

    it('prefix: normal with a spread of 0.2, so that virtual tokens begin apart and a model with small keys and values begins where it was', async () => {
      const prefix = await prefixTuning.create({ bundle: model }, settings({ virtualTokens: 200, seed: 5 }));
      const { data } = prefix.parameters[0]!.value;
      const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
      const std = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length);
      assert.ok(Math.abs(mean) < 0.01 && Math.abs(std - 0.2) < 0.01, `mean ${mean}, spread ${std}`);
    });

    it('multitask: every task begins at the shared prompt', async () => {
      const adapter = await multitaskPromptTuning.create(
        { bundle: model },
        settings({ tasks: ['a', 'b'], taskRank: 3, init: 'TEXT', initText: 'hello!' }),
      );
      const shared = adapter.parameters[0]!.value;
      assert.deepEqual(shared, await model.embed(model.encode('hello!')));
      const [a, b] = [(await adapter.parts(0)).softPrompt!, (await adapter.parts(1)).softPrompt!];
      assert.ok(maxRelativeError(a, shared) < 0.15 && maxRelativeError(b, shared) < 0.15);
      assert.notDeepEqual(a, b);
    });

    it('p-tuning: refuses to begin from a text, which goes through no encoder', async () => {
      await assert.rejects(pTuning.create({ bundle: model }, settings({ init: 'TEXT', initText: 'x' })), {
        code: 'INVALID_ARGUMENT',
        message: /^p-tuning: .*use prompt-tuning/,
      });
    });

    it('multitask: refuses no tasks, and a task named twice', async () => {
      await assert.rejects(multitaskPromptTuning.create({ bundle: model }, settings({})), {
        code: 'INVALID_ARGUMENT',
        message: /name the tasks/,
      });
      await assert.rejects(multitaskPromptTuning.create({ bundle: model }, settings({ tasks: ['a', 'a'] })), {
        code: 'INVALID_ARGUMENT',
        message: /task a is named twice/,
      });
    });
  });

  it('multitask: a task trains the shared prompt and its own factors, no other', async () => {
    const adapter = cases.multitask!.make(model, parametersOf('multitask'));
    const [shared, cols, rows] = await adapter.pullBack({ softPrompt: of('multitask', 'outputCotangent') }, 2);
    assert.ok(shared!.some((value) => value !== 0));
    for (const factor of [cols!, rows!]) {
      const third = factor.length / 3;
      assert.ok(factor.subarray(0, 2 * third).every((value) => value === 0));
      assert.ok(factor.subarray(2 * third).every((value) => value !== 0));
    }
  });

  it('multitask: asks for a task, and knows only its own', async () => {
    const adapter = cases.multitask!.make(model, parametersOf('multitask'));
    for (const task of [undefined, 3, -1])
      await assert.rejects(adapter.parts(task), { code: 'INVALID_ARGUMENT', message: /tasks a, b, c/ });
  });

  describe('saved', () => {
    const saved = async (adapter: Adapter) => {
      await adapter.save(dir);
      return { config: await readAdapterConfig(dir), tensors: (await readTensors(join(dir, 'adapter_model.safetensors'))).tensors };
    };

    for (const name of ['mlp', 'lstm', 'lstm1']) {
      it(`${name}: holds the encoder's output as PEFT's P_TUNING, and comes back as the same rows`, async () => {
        const adapter = cases[name]!.make(model, parametersOf(name)) as PTuning;
        const { config, tensors } = await saved(adapter);
        assert.deepEqual([...tensors.keys()], ['prompt_embeddings']);
        assert.deepEqual(tensors.get('prompt_embeddings'), (await adapter.parts()).softPrompt);
        const { peft_type, num_virtual_tokens, encoder_reparameterization_type, encoder_hidden_size, encoder_num_layers } = config;
        assert.deepEqual(
          {
            peft_type,
            num_virtual_tokens,
            kind: encoder_reparameterization_type,
            hiddenSize: encoder_hidden_size,
            layers: encoder_num_layers,
          },
          { peft_type: 'P_TUNING', num_virtual_tokens: 11, ...adapter.encoder },
        );
        const loaded = await pTuning.load({ bundle: model }, dir, config);
        assert.deepEqual((await loaded.parts()).softPrompt, (await adapter.parts()).softPrompt);
      });
    }

    it("projection: holds the projected prefix in PEFT's layout, and comes back as that prefix", async () => {
      const adapter = cases.projection!.make(model, parametersOf('projection'));
      const { config, tensors } = await saved(adapter);
      assert.deepEqual([...tensors.keys()], ['prompt_embeddings']);
      assert.deepEqual(tensors.get('prompt_embeddings'), flattenPrefix((await adapter.parts()).prefix!));
      assert.ok(maxRelativeError(tensors.get('prompt_embeddings')!, of('projection', 'flat')) < TOLERANCE);
      assert.deepEqual([config.peft_type, config.prefix_projection, config.encoder_hidden_size], ['PREFIX_TUNING', true, 7]);
      const loaded = await prefixTuning.load({ bundle: model }, dir, config);
      assert.deepEqual((await loaded.parts()).prefix, (await adapter.parts()).prefix);
    });

    it("multitask: holds PEFT's three tensors, and comes back with its tasks' names", async () => {
      const adapter = cases.multitask!.make(model, parametersOf('multitask'));
      const { config, tensors } = await saved(adapter);
      assert.deepEqual([...tensors.keys()].sort(), ['prefix_task_cols', 'prefix_task_rows', 'prompt_embeddings']);
      assert.deepEqual([config.peft_type, config.num_tasks, config.num_ranks], ['MULTITASK_PROMPT_TUNING', 3, 2]);
      const loaded = await multitaskPromptTuning.load({ bundle: model }, dir, config);
      assert.deepEqual([loaded.tasks, loaded.parameters], [adapter.tasks, adapter.parameters]);
    });

    it('multitask: tensors that do not fit the config are refused by name', async () => {
      const { config } = await saved(cases.multitask!.make(model, parametersOf('multitask')));
      for (const [change, message] of [
        [{ num_ranks: 3 }, /prefix_task_cols: expected \[3, 11, 3\], got \[3, 11, 2\]/],
        [{ num_virtual_tokens: 5 }, /prompt_embeddings: expected \[5, 12\]/],
        [{ num_tasks: 0 }, /num_tasks/],
      ] as const)
        await assert.rejects(multitaskPromptTuning.load({ bundle: model }, dir, { ...config, ...change }), {
          code: 'INVALID_ADAPTER',
          message,
        });
    });

    it('tells no text, token or machine in the config', async () => {
      await cases.mlp!.make(model, parametersOf('mlp')).save(dir);
      assert.doesNotMatch(await readFile(join(dir, 'adapter_config.json'), 'utf8'), /\/|hello/);
    });
  });

  it('refuses parameters that do not fit the encoder, naming them', () => {
    const parameters = parametersOf('mlp');
    const refusal = (make: () => unknown, message: RegExp) =>
      assert.throws(make, (error) => error instanceof CutlayerError && error.code === 'INVALID_SHAPE' && message.test(error.message));
    refusal(() => cases.mlp!.make(model, parameters.slice(1)), /expected the parameters embedding.weight, mlp_head.0.weight/);
    refusal(
      () => new PTuning(model, { kind: 'MLP', hiddenSize: 11, layers: 2 }, parameters),
      /mlp_head.0.weight: expected \[11, 12\], got \[10, 12\]/,
    );
    refusal(() => cases.lstm!.make(model, parameters), /lstm_head.weight_ih_l0/);
  });
});
