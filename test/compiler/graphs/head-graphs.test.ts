/** Head, loss and classifier in all variants, against torch (test/conformance/weight_methods.py). */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import {
  compileClassifier,
  compileClassifierLoss,
  compileHead,
  compileLikelihood,
  compileLoss,
  type HeadVariant,
  headVariantsOf,
} from '../../../src/compiler/graphs/head-graphs.js';
import { describeModel, type ModelDescription } from '../../../src/compiler/models/registry.js';
import { encodeModel } from '../../../src/compiler/onnx/encoder.js';
import type { Graph } from '../../../src/compiler/onnx/graph.js';
import { inputsOf } from '../../../src/compiler/onnx/value.js';
import type { TensorInfo } from '../../../src/safetensors/header.js';
import { openSafetensors } from '../../../src/safetensors/reader.js';
import { readTensors } from '../../../src/safetensors/tensors-file.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { fixtureDir, maxRelativeError } from '../../support/packed-model.js';
import { runSession, type Tensors } from '../../support/session.js';

const LOSS_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 1e-4;
const LORA_SCALE = 1.5;
const HEAD_BIAS = 'head.bias';
const shapes = { bare: { logitScale: 1, logitSoftcap: null }, capped: { logitScale: 0.25, logitSoftcap: 5 } } as const;

const trainedBy: { readonly [V in HeadVariant]: readonly string[] } = {
  plain: [],
  lora: ['loraA', 'loraB'],
  tokens: ['tokenRows'],
  loraTokens: ['loraA', 'loraB', 'tokenRows'],
};

for (const fixture of ['gpt2-tiny', 'llama-tiny']) {
  describe(`head graphs: ${fixture}`, () => {
    let model: ModelDescription;
    let weights: ReadonlyMap<string, Tensor>;
    let expected: ReadonlyMap<string, Tensor>;
    let inputs: Tensors;
    const of = (shape: keyof typeof shapes): ModelDescription => ({ ...model, spec: { ...model.spec, ...shapes[shape] } });
    /** With a bias: the first values of the embedding. */
    const biased = (shape: Partial<ModelDescription['spec']>): ModelDescription => ({
      ...model,
      spec: { ...model.spec, ...shape, headBias: true },
      weights: {
        ...model.weights,
        model: (role) => (role === 'headBias' ? { role, name: HEAD_BIAS, shape: [model.spec.vocabSize] } : model.weights.model(role)),
      },
    });
    const place = (name: string): Pick<TensorInfo, 'offset' | 'bytes'> =>
      name === HEAD_BIAS
        ? { offset: file.get(model.weights.model('embedTokens').name)!.offset, bytes: 4 * model.spec.vocabSize }
        : file.get(name)!;
    /** Runs a graph whose weights are the checkpoint's, mapped from its file. */
    const runGraph = async (graph: Graph, feeds: Tensors): Promise<Tensors> => {
      const path = join(dir, `${next++}.onnx`);
      const externalData = (name: string) => ({
        location: 'model.safetensors',
        offset: place(name).offset,
        length: place(name).bytes,
      });
      await writeFile(path, encodeModel(graph, { externalData }));
      const session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 });
      const outputs = await runSession(session, feeds);
      await session.release();
      return outputs;
    };
    let dir: string;
    let next = 0;
    let file: ReadonlyMap<string, TensorInfo>;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'cutlayer-heads-'));
      await copyFile(join(fixtureDir(fixture), 'model.safetensors'), join(dir, 'model.safetensors'));
      const opened = await openSafetensors(join(dir, 'model.safetensors'));
      file = opened.tensors;
      await opened.close();
      model = describeModel(await readFile(join(fixtureDir(fixture), 'config.json'), 'utf8'));
      weights = (await readTensors(join(fixtureDir(fixture), 'model.safetensors'))).tensors;
      expected = (await readTensors(join(fixtureDir('methods'), `weights-${fixture}.safetensors`))).tensors;
      const input = (name: string): Tensor => expected.get(`head.${name}`)!;
      inputs = Object.fromEntries(
        ['rows', 'labels', 'weights', 'loraA', 'loraB', 'tokenIds', 'tokenRows'].map((name) => [name, input(name)] as const),
      );
      inputs = { ...inputs, loraScale: f32([], [LORA_SCALE]) };
    });

    after(() => rm(dir, { recursive: true, force: true }));

    for (const variant of Object.keys(trainedBy) as HeadVariant[]) {
      for (const shape of Object.keys(shapes) as (keyof typeof shapes)[]) {
        it(`${variant}, ${shape}: gives torch's logits, losses and gradients of rows and of all that is trained`, async () => {
          const want = (name: string): Tensor => expected.get(`head.${variant}.${shape}.${name}`)!;
          const { logits } = await runGraph(compileHead(of(shape), variant), inputs);
          const [N, V] = logits!.shape as [number, number];
          const right = f32([N], new Float32Array(N));
          for (let n = 0; n < N; n++)
            for (let v = 0; v < V; v++) right.data[n]! += Number(logits!.data[n * V + v]) * Math.cos(0.7 * (v + 1));
          assert.ok(maxRelativeError(right, want('logits.right')) < LOSS_TOLERANCE);
          const out = await runGraph(compileLoss(of(shape), variant), inputs);
          assert.ok(maxRelativeError(out.loss!, want('loss')) < LOSS_TOLERANCE);
          assert.ok(maxRelativeError(out.nll!, want('nll')) < LOSS_TOLERANCE);
          assert.ok(maxRelativeError(out.cotangent!, want('rowsCotangent')) < GRADIENT_TOLERANCE);
          for (const name of trainedBy[variant]) {
            const error = maxRelativeError(out[`${name}Cotangent`]!, want(`${name}Cotangent`));
            assert.ok(error < GRADIENT_TOLERANCE, `${name}: off by ${error}`);
          }
          assert.deepEqual(Object.keys(out).length, 4 + trainedBy[variant].length);
          // Evaluation reports what training minimizes: not one bit is different.
          const likelihood = await runGraph(compileLikelihood(of(shape), variant), inputs);
          assert.deepEqual(likelihood, { nll: out.nll, correct: out.correct });
          const best = Array.from({ length: N }, (_, n) => {
            const row = (logits!.data as Float32Array).subarray(n * V, (n + 1) * V);
            return row.indexOf(Math.max(...row));
          });
          assert.deepEqual(
            [...out.correct!.data],
            best.map((token, n) => (token === Number(inputs.labels!.data[n]) ? 1 : 0)),
          );
        });
      }
    }

    it('adds a bias to the logits, before scale and softcap, and to those of trained tokens', async () => {
      const [V, d] = [model.spec.vocabSize, model.spec.hiddenSize];
      const bias = (weights.get(model.weights.model('embedTokens').name)!.data as Float32Array).subarray(0, V); // as HEAD_BIAS
      const scale = shapes.capped.logitScale;
      for (const variant of headVariantsOf(model)) {
        const uncapped = { logitScale: scale, logitSoftcap: null };
        const { logits: plain } = await runGraph(compileHead({ ...model, spec: { ...model.spec, ...uncapped } }, variant), inputs);
        const { logits } = await runGraph(compileHead(biased(uncapped), variant), inputs);
        logits!.data.forEach((value, i) => {
          const wanted = Number(plain!.data[i]) + scale * bias[i % V]!;
          assert.ok(Math.abs(Number(value) - wanted) < 1e-5, `${variant}: ${value}, not ${wanted}`);
        });
      }
      // The cotangent of the rows against differences of the loss along it.
      const graph = compileLoss(biased(shapes.capped), 'plain');
      const { cotangent } = await runGraph(graph, inputs);
      const norm = Math.hypot(...Array.from(cotangent!.data, Number));
      const moved = async (by: number): Promise<number> => {
        const rows = Float32Array.from(inputs.rows!.data as Float32Array, (value, i) => value + (by * Number(cotangent!.data[i])) / norm);
        return Number((await runGraph(graph, { ...inputs, rows: f32([rows.length / d, d], rows) })).loss!.data[0]);
      };
      const slope = ((await moved(0.01)) - (await moved(-0.01))) / 0.02;
      assert.ok(Math.abs(slope / norm - 1) < 1e-3, `${slope}, not ${norm}`);
    });

    it('gives the plain loss and cotangent with LoRA at zero and token rows that are the table’s', async () => {
      const table = weights.get(model.weights.model('embedTokens').name)!;
      const d = model.spec.hiddenSize;
      const ids = Array.from(inputs.tokenIds!.data, Number);
      const rows = Float32Array.from(ids.flatMap((id) => [...(table.data as Float32Array).subarray(id * d, (id + 1) * d)]));
      const still = {
        ...inputs,
        loraB: f32(inputs.loraB!.shape, new Float32Array(inputs.loraB!.data.length)),
        tokenRows: f32([ids.length, d], rows),
      };
      const plain = await runGraph(compileLoss(of('capped'), 'plain'), inputs);
      for (const variant of ['lora', 'tokens', 'loraTokens'] as const) {
        const out = await runGraph(compileLoss(of('capped'), variant), still);
        for (const name of ['loss', 'nll', 'correct', 'cotangent'])
          assert.ok(maxRelativeError(out[name]!, plain[name]!) < 1e-6, `${variant}: ${name}`);
      }
    });

    it('makes no array of the table’s size, and over rows and vocabulary one more for LoRA and one more for trained tokens', () => {
      const { vocabSize, hiddenSize } = model.spec;
      const shapesOf = (variant: HeadVariant): string[] =>
        compileLoss(model, variant).ops.flatMap(({ outputs }) =>
          outputs.map(({ shape }) => shape.map((dim) => (typeof dim === 'number' ? dim : dim.text)).join('x')),
        );
      const overVocabulary = (variant: HeadVariant): number => shapesOf(variant).filter((shape) => shape === `Nx${vocabSize}`).length;
      assert.equal(overVocabulary('plain'), 3); // logits, log-softmax, its exponential
      assert.equal(overVocabulary('lora'), 4); // and what LoRA adds to
      assert.equal(overVocabulary('loraTokens'), 5); // and what the trained columns replace
      for (const variant of headVariantsOf(model)) assert.ok(!shapesOf(variant).includes(`${vocabSize}x${hiddenSize}`), variant);
    });

    it('computes likelihoods without weights, without probabilities and with one product by the table', () => {
      for (const variant of headVariantsOf(model)) {
        const graph = compileLikelihood(model, variant);
        const ops = graph.ops.map(({ op }) => op);
        const inputs = ['rows', 'labels', ...(variant.startsWith('lora') ? ['loraA', 'loraB', 'loraScale'] : [])];
        const tokens = /tokens/i.test(variant) ? ['tokenIds', 'tokenRows'] : [];
        assert.deepEqual(graph.inputs.map(({ name }) => name).sort(), [...inputs, ...tokens].sort());
        assert.ok(!ops.includes('Exp'), variant);
        const table = model.weights.model(model.spec.tiedHead ? 'embedTokens' : 'head').name;
        const uses = (compiled: Graph): number =>
          compiled.ops.filter((node) => inputsOf(node).some(({ node: from }) => from.kind === 'weight' && from.name === table)).length;
        assert.equal(uses(graph), 1, variant);
        assert.ok(uses(compileLoss(model, variant)) > 1, variant);
      }
    });

    it('gives torch’s classification logits, loss and gradients, untouched by logit scale and softcap', async () => {
      const feeds = {
        ...inputs,
        classifierWeight: expected.get('classifier.classifierWeight')!,
        labels: expected.get('classifier.labels')!,
      };
      const want = (name: string): Tensor => expected.get(`classifier.${name}`)!;
      const { logits } = await runGraph(compileClassifier(of('capped')), feeds);
      assert.ok(maxRelativeError(logits!, want('logits')) < LOSS_TOLERANCE);
      const out = await runGraph(compileClassifierLoss(of('capped')), feeds);
      assert.ok(maxRelativeError(out.loss!, want('loss')) < LOSS_TOLERANCE);
      assert.ok(maxRelativeError(out.nll!, want('nll')) < LOSS_TOLERANCE);
      assert.ok(maxRelativeError(out.cotangent!, want('rowsCotangent')) < GRADIENT_TOLERANCE);
      assert.ok(maxRelativeError(out.classifierWeightCotangent!, want('classifierWeightCotangent')) < GRADIENT_TOLERANCE);
    });
  });
}

it('head graphs: a head that is not tied has no variants with trained tokens', async () => {
  const model = describeModel(await readFile(join(fixtureDir('llama3-tiny'), 'config.json'), 'utf8'));
  assert.deepEqual(headVariantsOf(model), ['plain', 'lora']);
});
