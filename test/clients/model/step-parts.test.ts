/** A step through a gateway with every place of it filled: the cotangent of each place is the derivative of the loss, and no call is made in vain. */
import assert from 'node:assert/strict';
import type { StepCotangents, StepParts } from '../../../clients/typescript/adapters/adapter.js';
import {
  type Batch,
  ClientBundle,
  type Connection,
  connect,
  makeBatch,
  RemoteModel,
  SplitModel,
} from '../../../clients/typescript/index.js';
import { rowLosses } from '../../../clients/typescript/model/row-losses.js';
import { f32, type Tensor } from '../../../src/tensor/tensor.js';
import { depth, every } from '../../support/exhaustive.js';
import { packedFixture } from '../../support/packed-fixture.js';
import { startTestGateway, type TestGateway } from '../../support/test-gateway.js';

/** Of the directional derivative by differences of float32 losses. */
const TOLERANCE = 5e-3;
/** Of a tensor's own size, along each direction. */
const STEP = 1e-2;

/** Deterministic values in [-scale, scale]. */
function values(shape: readonly number[], scale: number, phase: number): Tensor<'float32'> {
  const length = shape.reduce((product, dim) => product * dim, 1);
  return f32(
    shape,
    Float32Array.from({ length }, (_, i) => scale * Math.sin(1 + phase + i * 1.7)),
  );
}

/** Every tensor of some parts or cotangents, by place. */
function tensorsOf({
  tokenRows,
  blockWeights,
  headLora,
  rowTransform: _,
  ...plain
}: StepParts | StepCotangents): Record<string, Tensor<'float32'>> {
  const rows = tokenRows !== undefined && 'rows' in tokenRows ? tokenRows.rows : tokenRows;
  return {
    ...plain,
    ...(rows === undefined ? {} : { tokenRows: rows }),
    ...Object.fromEntries(Object.entries(blockWeights ?? {}).map(([name, value]) => [`blockWeights/${name}`, value])),
    ...(headLora === undefined ? {} : { 'headLora/a': headLora.a, 'headLora/b': headLora.b }),
  };
}

/** Parts moved along a direction in one place, or in all. */
function moved(parts: StepParts, directions: Readonly<Record<string, Tensor<'float32'>>>, by: number): StepParts {
  const add = (place: string, tensor: Tensor<'float32'>) => {
    const direction = directions[place];
    return direction === undefined
      ? tensor
      : f32(
          tensor.shape,
          tensor.data.map((value, i) => value + by * direction.data[i]!),
        );
  };
  const { softPrompt, prefix, tokenRows, blockWeights, headLora, classifier } = parts;
  return {
    ...(softPrompt && { softPrompt: add('softPrompt', softPrompt) }),
    ...(prefix && { prefix: add('prefix', prefix) }),
    ...(tokenRows && { tokenRows: { ...tokenRows, rows: add('tokenRows', tokenRows.rows) } }),
    ...(blockWeights && {
      blockWeights: Object.fromEntries(Object.entries(blockWeights).map(([name, value]) => [name, add(`blockWeights/${name}`, value)])),
    }),
    ...(headLora && { headLora: { ...headLora, a: add('headLora/a', headLora.a), b: add('headLora/b', headLora.b) } }),
    ...(classifier && { classifier: add('classifier', classifier) }),
  };
}

const everyCut = [
  { fixture: 'gpt2-tiny', bottom: 0, top: 0 },
  { fixture: 'gpt2-tiny', bottom: 1, top: 1 },
  { fixture: 'llama-tiny', bottom: 1, top: 1 },
  { fixture: 'llama-tiny', bottom: 0, top: 0 },
];
// The sample has both fixtures and both cuts.
for (const { fixture, bottom, top } of depth(everyCut, [everyCut[0]!, everyCut[2]!])) {
  describe(`a step of ${fixture} cut at ${bottom} and ${top}`, () => {
    let gateway: TestGateway;
    let bundle: ClientBundle;
    let connection: Connection;
    let model: SplitModel;
    /** Sends shared text in each sequence. */
    let unshared: SplitModel;
    let plain: Connection;
    let batch: Batch;
    let classes: Batch;

    before(async () => {
      const packed = await packedFixture(fixture, { bottom, top });
      gateway = await startTestGateway({ backboneDir: packed.backboneDir });
      bundle = await ClientBundle.open(packed.bundleDir, { threads: 1 });
      const reach = { address: gateway.gateway.listen, ca: gateway.ca.toString(), token: await gateway.token() };
      connection = await connect(reach);
      model = new SplitModel(bundle, new RemoteModel(connection));
      plain = await connect({ ...reach, shareText: false });
      unshared = new SplitModel(bundle, new RemoteModel(plain));
      // Sequences of different lengths: the padding is token 0, which is trained too.
      const ids = [
        [5, 9, 0, 7, 5],
        [9, 3],
      ];
      const examples = ids.map((sequence, at) => ({
        tokenIds: Int32Array.from(sequence),
        labelMask: Uint8Array.from(sequence, (_, s) => (s % 2 === 1 ? 1 : 0)),
        classLabel: at * 2,
      }));
      batch = makeBatch(examples);
      classes = makeBatch(examples.map((example) => ({ ...example, labelMask: new Uint8Array(example.tokenIds.length) })));
    });

    after(async () => {
      connection?.close();
      plain?.close();
      await bundle?.close();
      await gateway?.close();
    });

    const soft = (): StepParts => ({ softPrompt: values([3, bundle.dims.hiddenSize], 0.3, 0) });
    const prefix = (): StepParts => {
      const { bottom: k, backbone, top: m, numKvHeads, headDim } = bundle.dims;
      return { prefix: values([k + backbone + m, 2, 3, numKvHeads, headDim], 0.3, 1) };
    };
    const tokens = async (): Promise<StepParts> => {
      const tokenIds = [0, 5, 9];
      const rows = await bundle.embed(tokenIds);
      return {
        tokenRows: {
          tokenIds,
          rows: f32(
            rows.shape,
            rows.data.map((value) => value / bundle.embedScale),
          ),
        },
      };
    };
    const headLora = (): StepParts => {
      const d = bundle.dims.hiddenSize;
      return { headLora: { a: values([2, d], 0.2, 2), b: values([bundle.vocabSize, 2], 0.2, 3), scale: 1.5 } };
    };
    const classifier = (): StepParts => ({ classifier: values([4, bundle.dims.hiddenSize], 0.2, 4) });
    /** One matrix and one vector of each block that the client holds. */
    const blocks = async (only?: 'bottom' | 'top'): Promise<StepParts> => {
      const held = only === undefined ? bundle.blockWeights : bundle.manifest.blockWeights[only];
      const chosen = held.filter(({ role }) => /^(value|qkv|down|attentionNorm|inputNorm)$/.test(role) || /norm/i.test(role));
      const blockWeights: Record<string, Tensor<'float32'>> = {};
      for (const { name } of chosen.length > 0 ? chosen : held.slice(0, 2)) blockWeights[name] = await bundle.weight(name);
      return { blockWeights };
    };

    const cases: readonly { readonly name: string; readonly parts: () => StepParts | Promise<StepParts>; readonly classes?: boolean }[] = [
      { name: 'a soft prompt', parts: soft },
      { name: 'a prefix', parts: prefix },
      { name: 'token rows', parts: tokens },
      { name: 'LoRA on the head', parts: headLora },
      { name: 'a classifier', parts: classifier, classes: true },
      { name: 'a soft prompt, token rows and LoRA on the head', parts: async () => ({ ...soft(), ...(await tokens()), ...headLora() }) },
      {
        name: 'a prefix, token rows and a classifier',
        parts: async () => ({ ...prefix(), ...(await tokens()), ...classifier() }),
        classes: true,
      },
      ...(bottom + top === 0
        ? []
        : [
            { name: 'weights of blocks', parts: () => blocks() },
            {
              name: 'everything below a classifier',
              parts: async () => ({ ...soft(), ...(await tokens()), ...(await blocks()), ...classifier() }),
              classes: true,
            },
            { name: 'a prefix and weights of blocks', parts: async () => ({ ...prefix(), ...(await blocks()) }) },
          ]),
    ];
    /** An evaluation has another attention kernel than a training step, so another order of sums. */
    const sameLoss = async (data: Batch, parts: StepParts, trained: number): Promise<void> => {
      const { lossSum } = await model.evaluate(data, parts);
      assert.ok(Math.abs(lossSum - trained) < 1e-6 * trained, `${lossSum} in an evaluation, ${trained} in training`);
    };

    for (const { name, parts: make, classes: classified = false } of every(3, cases)) {
      it(`has the derivatives of the loss for ${name}`, async () => {
        const parts = await make();
        const data = classified ? classes : batch;
        const { cotangents, lossSum } = await model.gradient(data, parts);
        const [places, back] = [tensorsOf(parts), tensorsOf(cotangents)];
        assert.deepEqual(Object.keys(back).sort(), Object.keys(places).sort());
        await sameLoss(data, parts, lossSum);
        for (const [place, tensor] of Object.entries(places)) {
          assert.deepEqual(back[place]!.shape, tensor.shape, place);
          const direction = values(tensor.shape, Math.hypot(...tensor.data) / Math.sqrt(tensor.data.length), 5);
          const expected = back[place]!.data.reduce((sum, value, i) => sum + value * direction.data[i]!, 0);
          const at = async (by: number) => (await model.evaluate(data, moved(parts, { [place]: direction }, by))).lossSum;
          const norm = Math.hypot(...back[place]!.data) * Math.hypot(...direction.data);
          assert.ok(norm > 0, `${place}: no gradient at all`);
          // Five points: what is left is of the fifth order.
          const [near, far] = [(await at(STEP)) - (await at(-STEP)), (await at(2 * STEP)) - (await at(-2 * STEP))];
          const found = (8 * near - far) / (12 * STEP);
          const error = Math.abs(found - expected) / Math.max(Math.abs(expected), 0.02 * norm);
          assert.ok(error < TOLERANCE, `${place}: derivative ${found}, cotangent says ${expected}`);
        }
      });
    }

    if (bottom + top > 0) {
      it('computes no cotangent of rows that nothing trained has made', async () => {
        const asked: string[][] = [];
        const { spanVjp } = bundle;
        bundle.spanVjp = async (variant, ...rest) => {
          const found = await spanVjp.call(bundle, variant, ...rest);
          asked.push([variant.span, ...Object.keys(found).filter((name) => /^(inputs|hidden|soft|prefix)/.test(name))]);
          return found;
        };
        try {
          for (const parts of [await blocks('top'), await blocks('bottom'), { ...soft(), ...(await blocks('bottom')) }, prefix()])
            await model.gradient(batch, parts);
          const rows = ['hiddenStatesCotangent', 'softPromptHiddenCotangent'];
          assert.deepEqual(asked, [
            ['top'],
            ...[['top', rows[0]], ['bottom']],
            ...[
              ['top', ...rows],
              ['bottom', 'softPromptCotangent'],
            ],
            ...[
              ['top', rows[0], 'prefixCotangent'],
              ['bottom', 'prefixCotangent'],
            ],
          ]);
        } finally {
          bundle.spanVjp = spanVjp;
        }
      });
    }

    /** Sequences that begin with the same `common` tokens, and have loss at every third one. */
    const beginAlike = (common: number): Batch => {
      const lead = [5, 9, 0, 7, 3, 5, 1, 2, 9, 4, 6, 8].slice(0, common);
      const own = [
        [1, 0, 9, 2, 4, 3, 5, 6, 7, 8, 9],
        [0, 9, 1, 5, 4, 9, 6, 8],
        [9, 9, 2, 5, 0, 3, 6, 8, 1],
      ];
      return makeBatch(
        own.map((rest, at) => ({
          tokenIds: Int32Array.from([...lead, ...rest]),
          labelMask: Uint8Array.from([...lead, ...rest], (_, s) => (s % 3 === 0 ? 1 : 0)),
          classLabel: at,
        })),
      );
    };

    for (const { name, parts: make } of every(3, cases)) {
      it(`has the same loss and cotangents with shared text sent once, for ${name}`, async () => {
        const parts = await make();
        const data = beginAlike(12);
        const { rowsShared } = connection.counters;
        const [once, apart] = [await model.gradient(data, parts), await unshared.gradient(data, parts)];
        assert.equal(connection.counters.rowsShared - rowsShared, parts.prefix === undefined ? 24 : 0);
        assert.ok(Math.abs(once.lossSum - apart.lossSum) < 1e-5 * apart.lossSum, `${once.lossSum} against ${apart.lossSum}`);
        assert.deepEqual([once.targets, once.exact], [apart.targets, apart.exact]);
        await sameLoss(data, parts, once.lossSum);
        const [found, wanted] = [tensorsOf(once.cotangents), tensorsOf(apart.cotangents)];
        assert.deepEqual(Object.keys(found), Object.keys(wanted));
        for (const [place, { data: values, shape }] of Object.entries(wanted)) {
          assert.deepEqual(found[place]!.shape, shape, place);
          const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          const error = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[place]!.data[i]!)), 0);
          assert.ok(error < 1e-5 * largest, `${place}: ${error} of ${largest}`);
        }
      });
    }

    const callsOf = async (parts: StepParts, data: Batch) => {
      const { bytesUp, bytesDown } = { ...connection.counters };
      await model.gradient(data, parts);
      return { up: (connection.counters.bytesUp - bytesUp) / 4, down: (connection.counters.bytesDown - bytesDown) / 4 };
    };

    it('asks the gateway for no vjp when nothing below the top is trained', async () => {
      const d = bundle.dims.hiddenSize;
      const rows = batch.lengths.reduce((sum, length) => sum + length, 0);
      // With a top every row comes back, else the last of each sequence.
      const down = top > 0 ? rows : batch.lengths.length;
      assert.deepEqual(await callsOf(classifier(), classes), { up: rows * d, down: down * d });
      const targets = batch.targets.length;
      assert.deepEqual(await callsOf(headLora(), batch), { up: rows * d, down: (top > 0 ? rows : targets) * d });
      if (top > 0) assert.deepEqual(await callsOf({ ...(await blocks('top')), ...headLora() }, batch), { up: rows * d, down: rows * d });
    });

    it('refuses labels that are no classes of the head, and classes without any', async () => {
      const far = { ...classes, classLabels: [0, 4] };
      await assert.rejects(model.gradient(far, classifier()), { code: 'INVALID_DATA', message: /class 4 is not one of the 4/ });
      const { classLabels: _, ...none } = classes;
      await assert.rejects(model.evaluate(none, classifier()), { code: 'INVALID_DATA', message: /every example needs a class/ });
      await assert.rejects(model.classLogits(classes, {}), { code: 'INVALID_ARGUMENT', message: /no classification head/ });
      await assert.rejects(model.nextLogits(classes, classifier()), { code: 'INVALID_ARGUMENT', message: /call classLogits/ });
    });

    it('gives logits of classes that agree with the loss', async () => {
      const parts = classifier();
      const logits = await model.classLogits(classes, parts);
      const nll = classes.classLabels!.reduce((sum, label, b) => {
        const row = logits.data.subarray(b * 4, (b + 1) * 4);
        return sum + Math.log(row.reduce((total, z) => total + Math.exp(z), 0)) - row[label]!;
      }, 0);
      const { lossSum } = await model.evaluate(classes, parts);
      assert.ok(Math.abs(nll - lossSum) < 1e-5 * nll, `${nll} against ${lossSum}`);
    });

    it('adds up the cotangents of the head over chunks of rows', async () => {
      const d = bundle.dims.hiddenSize;
      const rows = values([4, d], 1, 6);
      const heads: readonly StepParts[] = [headLora(), { ...headLora(), ...(await tokens()) }, classifier()];
      for (const head of heads) {
        const labels = BigInt64Array.of(1n, 0n, 3n, 2n, 3n);
        const targets = { rowOfTarget: Int32Array.of(0, 1, 2, 3, 0), labels };
        const run = (chunkRows: number) => rowLosses(bundle, rows, targets, { chunkRows, wantCotangent: true, head });
        const [whole, parted] = [await run(100), await run(2)];
        const [wanted, got] = [tensorsOf(whole.head!), tensorsOf(parted.head!)];
        assert.deepEqual(Object.keys(got), Object.keys(wanted));
        assert.ok(Object.keys(wanted).length > 0);
        for (const [place, { data }] of Object.entries(wanted)) {
          const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          assert.ok(
            data.every((value, i) => Math.abs(value - got[place]!.data[i]!) < 1e-5 * largest),
            place,
          );
        }
      }
    });
  });
}
